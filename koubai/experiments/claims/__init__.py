"""The conclusions of the notes, one by one, as data. Set-ups, measures and smallest differences were fixed before the runs.

A share of accuracy matters from 0.02 (0.005 where two good methods are compared), a gradient from 0.3 decades (a factor of 2).
"""

from koubai.experiments.claims import gradients, images, optimizers, regularization

CLAIMS = {claim.name: claim for claim in (*gradients.CLAIMS, *optimizers.CLAIMS, *regularization.CLAIMS, *images.CLAIMS)}

__all__ = ["CLAIMS"]

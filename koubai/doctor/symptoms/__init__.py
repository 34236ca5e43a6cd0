"""The symptoms, by what they look at. Being imported here is what registers them, in this order."""

from koubai.doctor.symptoms import numbers, gradients, units, rates, pace, fit, inputs, wiring  # noqa: F401, I001 (their order)

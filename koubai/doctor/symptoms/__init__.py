"""The symptoms, by what they look at. Being imported here is what registers them."""

from koubai.doctor.symptoms import gradients  # noqa: F401

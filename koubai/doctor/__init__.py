"""The doctor: what is wrong with a training, in which layer, and why."""

from koubai.doctor.case import Case, Facts
from koubai.doctor.diagnosis import Diagnosis, diagnose
from koubai.doctor.finding import Finding

__all__ = ["Case", "Diagnosis", "Facts", "Finding", "diagnose"]

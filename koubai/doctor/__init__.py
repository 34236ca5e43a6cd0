"""The doctor: what is wrong with a training, in which layer, and why."""

from koubai.doctor.case import Case, Facts
from koubai.doctor.diagnosis import Diagnoses, Diagnosis, Joint, diagnose
from koubai.doctor.finding import SYMPTOMS, Finding

__all__ = ["SYMPTOMS", "Case", "Diagnoses", "Diagnosis", "Facts", "Finding", "Joint", "diagnose"]

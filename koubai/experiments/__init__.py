"""The notes' exercises as studies, and their conclusions as claims put to the test."""

"""FHIR questionnaires: reading, which questions are asked, checking. R4 inside, R4B and R5 read. Imports no Django."""

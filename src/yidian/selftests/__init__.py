"""Self-tests: a FHIR Questionnaire and a sidecar each, in library/. No models: the files are the source."""

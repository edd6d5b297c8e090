"""The elements of the FHIR types that questionnaires are made of, in R4, R4B and R5, as compact tables.

Written after the StructureDefinitions of FHIR 4.0.1, 4.3.0 and 5.0.0 (HL7, CC0). One line is one element: its name,
its type or types, how often (nothing: 0..1, `!` 1..1, `*` 0..*, `+` 1..*) and `=` the codes that it is bound to.
"""

from dataclasses import dataclass
from functools import cache

_CANONICAL_RESOURCE = """
  url uri
  identifier Identifier *
  version string
  name string
  title string
  status code ! =publication-status
  experimental boolean
  date dateTime
  publisher string
  contact ContactDetail *
  description markdown
  useContext UsageContext *
  jurisdiction CodeableConcept *
  purpose markdown
  copyright markdown
"""

_R4 = f"""
Element
  id string
  extension Extension *
Resource
  id id
  meta Meta
  implicitRules uri
  language code
DomainResource < Resource
  text Narrative
  contained Resource *
  extension Extension *
  modifierExtension Extension *
BackboneElement < Element
  modifierExtension Extension *
Extension < Element
  url uri !
  value[x] @extension
Narrative < Element
  status code ! =narrative-status
  div xhtml !
Meta < Element
  versionId id
  lastUpdated instant
  source uri
  profile canonical *
  security Coding *
  tag Coding *
Identifier < Element
  use code =identifier-use
  type CodeableConcept
  system uri
  value string
  period Period
  assigner Reference
CodeableConcept < Element
  coding Coding *
  text string
Coding < Element
  system uri
  version string
  code code
  display string
  userSelected boolean
Quantity < Element
  value decimal
  comparator code =quantity-comparator
  unit string
  system uri
  code code
Age < Quantity
Count < Quantity
Distance < Quantity
Duration < Quantity
Money < Element
  value decimal
  currency code
Range < Element
  low Quantity
  high Quantity
Ratio < Element
  numerator Quantity
  denominator Quantity
Period < Element
  start dateTime
  end dateTime
Reference < Element
  reference string
  type uri
  identifier Identifier
  display string
Attachment < Element
  contentType code
  language code
  data base64Binary
  url url
  size unsignedInt
  hash base64Binary
  title string
  creation dateTime
Annotation < Element
  author[x] Reference|string
  time dateTime
  text markdown !
HumanName < Element
  use code =name-use
  text string
  family string
  given string *
  prefix string *
  suffix string *
  period Period
Address < Element
  use code =address-use
  type code =address-type
  text string
  line string *
  city string
  district string
  state string
  postalCode string
  country string
  period Period
ContactPoint < Element
  system code =contact-point-system
  value string
  use code =contact-point-use
  rank positiveInt
  period Period
ContactDetail < Element
  name string
  telecom ContactPoint *
UsageContext < Element
  code Coding !
  value[x] CodeableConcept|Quantity|Range|Reference !
Expression < Element
  description string
  name id
  language code !
  expression string
  reference uri
RelatedArtifact < Element
  type code ! =related-artifact-type
  label string
  display string
  citation markdown
  url url
  document Attachment
  resource canonical
Questionnaire < DomainResource
{_CANONICAL_RESOURCE}
  derivedFrom canonical *
  subjectType code * =resource-type
  approvalDate date
  lastReviewDate date
  effectivePeriod Period
  code Coding *
  item Questionnaire.item *
Questionnaire.item < BackboneElement
  linkId string !
  definition uri
  code Coding *
  prefix string
  text string
  type code ! =item-type
  enableWhen Questionnaire.item.enableWhen *
  enableBehavior code =enable-behavior
  required boolean
  repeats boolean
  readOnly boolean
  maxLength integer
  answerValueSet canonical
  answerOption Questionnaire.item.answerOption *
  initial Questionnaire.item.initial *
  item Questionnaire.item *
Questionnaire.item.enableWhen < BackboneElement
  question string !
  operator code ! =enable-operator
  answer[x] boolean|decimal|integer|date|dateTime|time|string|Coding|Quantity|Reference !
Questionnaire.item.answerOption < BackboneElement
  value[x] integer|date|time|string|Coding|Reference !
  initialSelected boolean
Questionnaire.item.initial < BackboneElement
  value[x] boolean|decimal|integer|date|dateTime|time|string|uri|Attachment|Coding|Quantity|Reference !
QuestionnaireResponse < DomainResource
  identifier Identifier
  basedOn Reference *
  partOf Reference *
  questionnaire canonical
  status code ! =response-status
  subject Reference
  encounter Reference
  authored dateTime
  author Reference
  source Reference
  item QuestionnaireResponse.item *
QuestionnaireResponse.item < BackboneElement
  linkId string !
  definition uri
  text string
  answer QuestionnaireResponse.item.answer *
  item QuestionnaireResponse.item *
QuestionnaireResponse.item.answer < BackboneElement
  value[x] boolean|decimal|integer|date|dateTime|time|string|uri|Attachment|Coding|Quantity|Reference
  item QuestionnaireResponse.item *
ValueSet < DomainResource
{_CANONICAL_RESOURCE}
  immutable boolean
  compose ValueSet.compose
  expansion ValueSet.expansion
ValueSet.compose < BackboneElement
  lockedDate date
  inactive boolean
  include ValueSet.include +
  exclude ValueSet.include *
ValueSet.include < BackboneElement
  system uri
  version string
  concept ValueSet.concept *
  filter ValueSet.filter *
  valueSet canonical *
ValueSet.concept < BackboneElement
  code code !
  display string
  designation Designation *
Designation < BackboneElement
  language code
  use Coding
  value string !
ValueSet.filter < BackboneElement
  property code !
  op code ! =filter-operator
  value string !
ValueSet.expansion < BackboneElement
  identifier uri
  timestamp dateTime !
  total integer
  offset integer
  parameter ValueSet.parameter *
  contains ValueSet.contains *
ValueSet.parameter < BackboneElement
  name string !
  value[x] string|boolean|integer|decimal|uri|code|dateTime
ValueSet.contains < BackboneElement
  system uri
  abstract boolean
  inactive boolean
  version string
  code code
  display string
  designation Designation *
  contains ValueSet.contains *
CodeSystem < DomainResource
{_CANONICAL_RESOURCE}
  caseSensitive boolean
  valueSet canonical
  hierarchyMeaning code =hierarchy-meaning
  compositional boolean
  versionNeeded boolean
  content code ! =system-content
  supplements canonical
  count unsignedInt
  filter CodeSystem.filter *
  property CodeSystem.property *
  concept CodeSystem.concept *
CodeSystem.filter < BackboneElement
  code code !
  description string
  operator code + =filter-operator
  value string !
CodeSystem.property < BackboneElement
  code code !
  uri uri
  description string
  type code ! =property-type
CodeSystem.concept < BackboneElement
  code code !
  display string
  definition string
  designation Designation *
  property ConceptProperty *
  concept CodeSystem.concept *
ConceptProperty < BackboneElement
  code code !
  value[x] code|Coding|string|integer|boolean|dateTime|decimal !
OperationOutcome < DomainResource
  issue OperationOutcome.issue +
OperationOutcome.issue < BackboneElement
  severity code ! =issue-severity
  code code ! =issue-type
  details CodeableConcept
  diagnostics string
  location string *
  expression string *
"""

# What 5.0.0 adds to or changes in these types; a line replaces the one of the same name, `-` takes it away.
_R5_CANONICAL = """
  versionAlgorithm[x] string|Coding
  copyrightLabel string
"""
_R5_METADATA = """
  approvalDate date
  lastReviewDate date
  effectivePeriod Period
  topic CodeableConcept *
  author ContactDetail *
  editor ContactDetail *
  reviewer ContactDetail *
  endorser ContactDetail *
  relatedArtifact RelatedArtifact *
"""
_R5 = f"""
Attachment
  size integer64
  height positiveInt
  width positiveInt
  frames positiveInt
  duration decimal
  pages positiveInt
RelatedArtifact
  url -
  classifier CodeableConcept *
  resourceReference Reference
  publicationStatus code =publication-status
  publicationDate date
Expression
  name code
  language code
RatioRange < Element
  lowNumerator Quantity
  highNumerator Quantity
  denominator Quantity
CodeableReference < Element
  concept CodeableConcept
  reference Reference
Questionnaire
{_R5_CANONICAL}
Questionnaire.item
  disabledDisplay code =disabled-display
  answerConstraint code =answer-constraint
QuestionnaireResponse
  identifier Identifier *
  questionnaire canonical !
QuestionnaireResponse.item.answer
  value[x] boolean|decimal|integer|date|dateTime|time|string|uri|Attachment|Coding|Quantity|Reference !
ValueSet
{_R5_CANONICAL}
{_R5_METADATA}
  scope ValueSet.scope
ValueSet.scope < BackboneElement
  inclusionCriteria string
  exclusionCriteria string
ValueSet.compose
  property string *
ValueSet.include
  copyright string
Designation
  additionalUse Coding *
ValueSet.expansion
  next uri
  property ValueSet.property *
ValueSet.property < BackboneElement
  code code !
  uri uri
ValueSet.contains
  property ValueSet.contains.property *
ValueSet.contains.property < BackboneElement
  code code !
  value[x] code|Coding|string|integer|boolean|dateTime|decimal !
  subProperty ValueSet.contains.subProperty *
ValueSet.contains.subProperty < BackboneElement
  code code !
  value[x] code|Coding|string|integer|boolean|dateTime|decimal !
CodeSystem
{_R5_CANONICAL}
{_R5_METADATA}
"""
_R4B = """
RatioRange < Element
  lowNumerator Quantity
  highNumerator Quantity
  denominator Quantity
CodeableReference < Element
  concept CodeableConcept
  reference Reference
"""


def _names(written: str) -> frozenset[str]:
    return frozenset(written.split())


PRIMITIVES = _names("""
    boolean integer integer64 unsignedInt positiveInt decimal string markdown code id uri url canonical oid uuid
    base64Binary date dateTime instant time xhtml
""")
# Types that an extension may have as well; questionnaires do not use them, so only their being an object is checked.
OPAQUE = _names("""
    SampledData Signature Timing Contributor DataRequirement ParameterDefinition TriggerDefinition Dosage
    ExtendedContactDetail Availability
""")
# The resources of R4, R4B and R5 together: a reference or a subjectType may name any of them.
RESOURCE_TYPES = _names("""
    Account ActivityDefinition ActorDefinition AdministrableProductDefinition AdverseEvent AllergyIntolerance
    Appointment AppointmentResponse ArtifactAssessment AuditEvent Basic Binary BiologicallyDerivedProduct
    BiologicallyDerivedProductDispense BodyStructure Bundle CapabilityStatement CarePlan CareTeam CatalogEntry
    ChargeItem ChargeItemDefinition Citation Claim ClaimResponse ClinicalImpression ClinicalUseDefinition
    CodeSystem Communication CommunicationRequest CompartmentDefinition Composition ConceptMap Condition
    ConditionDefinition Consent Contract Coverage CoverageEligibilityRequest CoverageEligibilityResponse
    DetectedIssue Device DeviceAssociation DeviceDefinition DeviceDispense DeviceMetric DeviceRequest DeviceUsage
    DeviceUseStatement DiagnosticReport DocumentManifest DocumentReference EffectEvidenceSynthesis Encounter
    EncounterHistory Endpoint EnrollmentRequest EnrollmentResponse EpisodeOfCare EventDefinition Evidence
    EvidenceReport EvidenceVariable ExampleScenario ExplanationOfBenefit FamilyMemberHistory Flag FormularyItem
    GenomicStudy Goal GraphDefinition Group GuidanceResponse HealthcareService ImagingSelection ImagingStudy
    Immunization ImmunizationEvaluation ImmunizationRecommendation ImplementationGuide Ingredient InsurancePlan
    InventoryItem InventoryReport Invoice Library Linkage List Location ManufacturedItemDefinition Measure
    MeasureReport Media Medication MedicationAdministration MedicationDispense MedicationKnowledge
    MedicationRequest MedicationStatement MedicinalProduct MedicinalProductAuthorization
    MedicinalProductContraindication MedicinalProductDefinition MedicinalProductIndication
    MedicinalProductIngredient MedicinalProductInteraction MedicinalProductManufactured MedicinalProductPackaged
    MedicinalProductPharmaceutical MedicinalProductUndesirableEffect MessageDefinition MessageHeader
    MolecularSequence NamingSystem NutritionIntake NutritionOrder NutritionProduct Observation
    ObservationDefinition OperationDefinition OperationOutcome Organization OrganizationAffiliation
    PackagedProductDefinition Parameters Patient PaymentNotice PaymentReconciliation Permission Person
    PlanDefinition Practitioner PractitionerRole Procedure Provenance Questionnaire QuestionnaireResponse
    RegulatedAuthorization RelatedPerson RequestGroup RequestOrchestration Requirements ResearchDefinition
    ResearchElementDefinition ResearchStudy ResearchSubject RiskAssessment RiskEvidenceSynthesis Schedule
    SearchParameter ServiceRequest Slot Specimen SpecimenDefinition StructureDefinition StructureMap Subscription
    SubscriptionStatus SubscriptionTopic Substance SubstanceDefinition SubstanceNucleicAcid SubstancePolymer
    SubstanceProtein SubstanceReferenceInformation SubstanceSourceMaterial SubstanceSpecification SupplyDelivery
    SupplyRequest Task TerminologyCapabilities TestPlan TestReport TestScript Transport ValueSet
    VerificationResult VisionPrescription Resource DomainResource
""")
_EXTENSION_R4 = _names("""
    base64Binary boolean canonical code date dateTime decimal id instant integer markdown oid positiveInt string
    time unsignedInt uri url uuid Address Age Annotation Attachment CodeableConcept Coding ContactPoint Count
    Distance Duration HumanName Identifier Money Period Quantity Range Ratio Reference SampledData Signature
    Timing ContactDetail Contributor DataRequirement Expression ParameterDefinition RelatedArtifact
    TriggerDefinition UsageContext Dosage Meta
""")
_EXTENSION = {
    "R4": _EXTENSION_R4,
    "R4B": _EXTENSION_R4 | _names("CodeableReference RatioRange"),
    "R5": (_EXTENSION_R4 - _names("Contributor"))
    | _names("integer64 CodeableReference RatioRange ExtendedContactDetail Availability"),
}

_CODES = {
    name: _names(codes)
    for name, codes in {
        "publication-status": "draft active retired unknown",
        "response-status": "in-progress completed amended entered-in-error stopped",
        "item-type": "group display question boolean decimal integer date dateTime time string text url choice "
        "open-choice attachment reference quantity",
        "enable-operator": "exists = != > < >= <=",
        "enable-behavior": "all any",
        "disabled-display": "hidden protected",
        "answer-constraint": "optionsOnly optionsOrType optionsOrString",
        "narrative-status": "generated extensions additional empty",
        "identifier-use": "usual official temp secondary old",
        "quantity-comparator": "< <= >= >",
        "name-use": "usual official temp nickname anonymous old maiden",
        "address-use": "home work temp old billing",
        "address-type": "postal physical both",
        "contact-point-system": "phone fax email pager url sms other",
        "contact-point-use": "home work temp old mobile",
        "related-artifact-type": "documentation justification citation predecessor successor derived-from depends-on "
        "composed-of",
        "filter-operator": "= is-a descendent-of is-not-a regex in not-in generalizes exists",
        "hierarchy-meaning": "grouped-by is-a part-of classified-with",
        "system-content": "not-present example fragment complete supplement",
        "property-type": "code Coding string integer boolean dateTime decimal",
        "issue-severity": "fatal error warning information",
        "issue-type": "invalid structure required value invariant security login unknown expired forbidden suppressed "
        "processing not-supported duplicate multiple-matches not-found deleted too-long code-invalid extension "
        "too-costly business-rule conflict transient lock-error no-store exception timeout incomplete throttled "
        "informational",
    }.items()
}
_CODES_R5 = {
    **_CODES,
    "item-type": _CODES["item-type"] - {"choice", "open-choice"} | {"coding"},
    "quantity-comparator": _CODES["quantity-comparator"] | {"ad"},
    "filter-operator": _CODES["filter-operator"] | {"child-of", "descendent-leaf"},
    "issue-severity": _CODES["issue-severity"] | {"success"},
    "issue-type": _CODES["issue-type"] | {"success", "limited-filter"},
    "related-artifact-type": _CODES["related-artifact-type"]
    | _names("""
        part-of amends amended-with appends appended-with cites cited-by comments-on comment-in contains contained-in
        corrects correction-in replaces replaced-with retracts retracted-by signs similar-to supports supported-with
        transforms transformed-into transformed-with documents specification-of created-with cite-as
    """),
}


@dataclass(frozen=True, slots=True)
class ElementDefinition:
    """One element: the FHIR types that it may have, how often, and the codes allowed (None: any)."""

    name: str
    types: tuple[str, ...]
    required: bool = False
    many: bool = False
    codes: frozenset[str] | None = None
    binding: str = ""


@dataclass(frozen=True, slots=True)
class TypeDefinition:
    """A type: its elements by JSON name (valueString and its kin included), and those that must be there."""

    name: str
    elements: dict[str, tuple[ElementDefinition, str]]
    required: tuple[ElementDefinition, ...]
    order: tuple[str, ...]

    def names(self, element: ElementDefinition) -> list[str]:
        """The JSON names under which this element may stand."""
        return [name for name, (found, _) in self.elements.items() if found is element]


@cache
def types_of(fhir_version: str) -> dict[str, TypeDefinition]:
    """All types of this version of FHIR (R4, R4B, R5) by name."""
    sources = {"R4": (_R4,), "R4B": (_R4, _R4B), "R5": (_R4, _R5)}[fhir_version]
    bases: dict[str, str] = {}
    lines: dict[str, dict] = {}
    for source in sources:
        current = ""
        for line in source.splitlines():
            if not line.strip():
                continue
            if line.startswith("  "):
                name, *rest = line.split()
                if rest == ["-"]:
                    del lines[current][name]
                else:
                    lines[current][name] = rest
            else:
                current, _, base = (part.strip() for part in line.partition("<"))
                lines.setdefault(current, {})
                if base:
                    bases[current] = base
    return {name: _type(name, bases, lines, fhir_version) for name in lines}


def _type(name: str, bases: dict, lines: dict, fhir_version: str) -> TypeDefinition:
    chain = [name]
    while chain[-1] in bases:
        chain.append(bases[chain[-1]])
    elements: dict[str, tuple[ElementDefinition, str]] = {}
    required = []
    order = []
    for owner in reversed(chain):
        for written, rest in lines[owner].items():
            element = _element(written, rest, fhir_version)
            order.append(element.name)
            if element.required:
                required.append(element)
            if written.endswith("[x]"):
                for type_name in element.types:
                    elements[element.name + type_name[0].upper() + type_name[1:]] = element, type_name
            else:
                elements[element.name] = element, element.types[0]
    return TypeDefinition(name, elements, tuple(required), tuple(order))


def _element(written: str, rest: list[str], fhir_version: str) -> ElementDefinition:
    types = sorted(_EXTENSION[fhir_version]) if rest[0] == "@extension" else rest[0].split("|")
    mark = next((part for part in rest[1:] if part in "!*+"), "")
    binding = next((part[1:] for part in rest[1:] if part.startswith("=")), "")
    codes = (_CODES_R5 if fhir_version == "R5" else _CODES).get(binding)
    return ElementDefinition(
        written.removesuffix("[x]"), tuple(types), mark in ("!", "+"), mark in ("*", "+"), codes, binding
    )

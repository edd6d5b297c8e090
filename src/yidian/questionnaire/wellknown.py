"""Value sets and codes that questionnaires name and nobody supplies: a few of FHIR's own, countries, check digits."""

import re

# value set → the code systems that it draws from; of these, codes and their names where the list is at hand
VALUE_SETS: dict[str, tuple[str, ...]] = {
    "http://hl7.org/fhir/ValueSet/item-type": ("http://hl7.org/fhir/item-type",),
    "http://hl7.org/fhir/ValueSet/administrative-gender": ("http://hl7.org/fhir/administrative-gender",),
    "http://hl7.org/fhir/ValueSet/publication-status": ("http://hl7.org/fhir/publication-status",),
    "http://hl7.org/fhir/ValueSet/yesnodontknow": (
        "http://terminology.hl7.org/CodeSystem/v2-0136",
        "http://terminology.hl7.org/CodeSystem/data-absent-reason",
    ),
    "http://hl7.org/fhir/ValueSet/jurisdiction": (
        "urn:iso:std:iso:3166",
        "urn:iso:std:iso:3166:-2",
        "http://unstats.un.org/unsd/methods/m49/m49.htm",
    ),
}
_MEMBERS = {
    "http://hl7.org/fhir/item-type": "group Group;display Display;question Question;boolean Boolean;decimal Decimal;"
    "integer Integer;date Date;dateTime Date Time;time Time;string String;text Text;url Url;choice Choice;"
    "open-choice Open Choice;attachment Attachment;reference Reference;quantity Quantity",
    "http://hl7.org/fhir/administrative-gender": "male Male;female Female;other Other;unknown Unknown",
    "http://hl7.org/fhir/publication-status": "draft Draft;active Active;retired Retired;unknown Unknown",
    "http://terminology.hl7.org/CodeSystem/v2-0136": "Y Yes;N No",
    "http://terminology.hl7.org/CodeSystem/data-absent-reason": "asked-unknown Asked But Unknown",
}
COUNTRIES = "urn:iso:std:iso:3166"
# names as in the public-domain iso3166.tab of the tz database; they are not always ISO's own
_COUNTRIES = """
AD Andorra;AE United Arab Emirates;AF Afghanistan;AG Antigua & Barbuda;AI Anguilla;AL Albania;AM Armenia;AO
Angola;AQ Antarctica;AR Argentina;AS Samoa (American);AT Austria;AU Australia;AW Aruba;AX Åland Islands;AZ
Azerbaijan;BA Bosnia & Herzegovina;BB Barbados;BD Bangladesh;BE Belgium;BF Burkina Faso;BG Bulgaria;BH
Bahrain;BI Burundi;BJ Benin;BL St Barthelemy;BM Bermuda;BN Brunei;BO Bolivia;BQ Caribbean NL;BR Brazil;BS
Bahamas;BT Bhutan;BV Bouvet Island;BW Botswana;BY Belarus;BZ Belize;CA Canada;CC Cocos (Keeling) Islands;CD
Congo (Dem. Rep.);CF Central African Rep.;CG Congo (Rep.);CH Switzerland;CI Côte d'Ivoire;CK Cook Islands;CL
Chile;CM Cameroon;CN China;CO Colombia;CR Costa Rica;CU Cuba;CV Cape Verde;CW Curaçao;CX Christmas Island;CY
Cyprus;CZ Czech Republic;DE Germany;DJ Djibouti;DK Denmark;DM Dominica;DO Dominican Republic;DZ Algeria;EC
Ecuador;EE Estonia;EG Egypt;EH Western Sahara;ER Eritrea;ES Spain;ET Ethiopia;FI Finland;FJ Fiji;FK Falkland
Islands;FM Micronesia;FO Faroe Islands;FR France;GA Gabon;GB Britain (UK);GD Grenada;GE Georgia;GF French
Guiana;GG Guernsey;GH Ghana;GI Gibraltar;GL Greenland;GM Gambia;GN Guinea;GP Guadeloupe;GQ Equatorial Guinea;GR
Greece;GS South Georgia & the South Sandwich Islands;GT Guatemala;GU Guam;GW Guinea-Bissau;GY Guyana;HK Hong
Kong;HM Heard Island & McDonald Islands;HN Honduras;HR Croatia;HT Haiti;HU Hungary;ID Indonesia;IE Ireland;IL
Israel;IM Isle of Man;IN India;IO British Indian Ocean Territory;IQ Iraq;IR Iran;IS Iceland;IT Italy;JE
Jersey;JM Jamaica;JO Jordan;JP Japan;KE Kenya;KG Kyrgyzstan;KH Cambodia;KI Kiribati;KM Comoros;KN St Kitts &
Nevis;KP Korea (North);KR Korea (South);KW Kuwait;KY Cayman Islands;KZ Kazakhstan;LA Laos;LB Lebanon;LC St
Lucia;LI Liechtenstein;LK Sri Lanka;LR Liberia;LS Lesotho;LT Lithuania;LU Luxembourg;LV Latvia;LY Libya;MA
Morocco;MC Monaco;MD Moldova;ME Montenegro;MF St Martin (French);MG Madagascar;MH Marshall Islands;MK North
Macedonia;ML Mali;MM Myanmar (Burma);MN Mongolia;MO Macau;MP Northern Mariana Islands;MQ Martinique;MR
Mauritania;MS Montserrat;MT Malta;MU Mauritius;MV Maldives;MW Malawi;MX Mexico;MY Malaysia;MZ Mozambique;NA
Namibia;NC New Caledonia;NE Niger;NF Norfolk Island;NG Nigeria;NI Nicaragua;NL Netherlands;NO Norway;NP Nepal;NR
Nauru;NU Niue;NZ New Zealand;OM Oman;PA Panama;PE Peru;PF French Polynesia;PG Papua New Guinea;PH Philippines;PK
Pakistan;PL Poland;PM St Pierre & Miquelon;PN Pitcairn;PR Puerto Rico;PS Palestine;PT Portugal;PW Palau;PY
Paraguay;QA Qatar;RE Réunion;RO Romania;RS Serbia;RU Russia;RW Rwanda;SA Saudi Arabia;SB Solomon Islands;SC
Seychelles;SD Sudan;SE Sweden;SG Singapore;SH St Helena;SI Slovenia;SJ Svalbard & Jan Mayen;SK Slovakia;SL
Sierra Leone;SM San Marino;SN Senegal;SO Somalia;SR Suriname;SS South Sudan;ST Sao Tome & Principe;SV El
Salvador;SX St Maarten (Dutch);SY Syria;SZ Eswatini (Swaziland);TC Turks & Caicos Is;TD Chad;TF French S.
Terr.;TG Togo;TH Thailand;TJ Tajikistan;TK Tokelau;TL East Timor;TM Turkmenistan;TN Tunisia;TO Tonga;TR
Turkey;TT Trinidad & Tobago;TV Tuvalu;TW Taiwan;TZ Tanzania;UA Ukraine;UG Uganda;UM US minor outlying islands;US
United States;UY Uruguay;UZ Uzbekistan;VA Vatican City;VC St Vincent;VE Venezuela;VG Virgin Islands (UK);VI
Virgin Islands (US);VN Vietnam;VU Vanuatu;WF Wallis & Futuna;WS Samoa (western);YE Yemen;YT Mayotte;ZA South
Africa;ZM Zambia;ZW Zimbabwe
"""


def _table(written: str) -> dict[str, str]:
    entries = (entry.strip().replace("\n", " ") for entry in written.split(";"))
    return {code: name for code, _, name in (entry.partition(" ") for entry in entries)}


SYSTEMS: dict[str, dict[str, str]] = {system: _table(written) for system, written in _MEMBERS.items()}
COUNTRY_NAMES = _table(_COUNTRIES.strip())


def belongs(value_set: str, system: str, code: str) -> bool | None:
    """Whether the code is in one of these value sets; None when that is not known here."""
    systems = VALUE_SETS.get(value_set)
    if systems is None:
        return None
    if system not in systems:
        return False
    if system in SYSTEMS:
        return code in SYSTEMS[system]
    if system == COUNTRIES:
        return code in COUNTRY_NAMES if re.fullmatch("[A-Z]{2}", code) else None
    return None


def may_be_code(value_set: str, written: str) -> bool | None:
    """Whether a text could be a code of one of these value sets; None when that is not known here."""
    systems = VALUE_SETS.get(value_set)
    if systems is None:
        return None
    if all(system in SYSTEMS for system in systems):
        return any(written in SYSTEMS[system] for system in systems)
    return bool(re.fullmatch(r"[A-Z]{2,3}(-[A-Z0-9]{1,3})?|\d{3}", written))  # the shape of codes of places


def name_fault(system: str, code: str, display: str) -> str:
    """The name that this code has, when the display is certainly another; "" otherwise."""
    wanted = display.strip().casefold()
    if system in SYSTEMS:
        name = SYSTEMS[system].get(code, "")
        return name if name and display.isascii() and name.casefold() != wanted else ""
    if system == COUNTRIES and code in COUNTRY_NAMES and COUNTRY_NAMES[code].casefold() != wanted:
        others = {name.casefold() for other, name in COUNTRY_NAMES.items() if other != code}
        return COUNTRY_NAMES[code] if wanted in others else ""
    return ""


def code_fault(system: str, code: str) -> str:
    """Why this code cannot exist in its system, in Chinese; "" when it may. SNOMED CT and LOINC have check digits."""
    if system == "http://snomed.info/sct" and code.isdecimal():
        if not 6 <= len(code) <= 18 or code[0] == "0" or not _verhoeff(code):
            return "不是 SNOMED CT 的编码（校验位不对）"
    elif system == "http://loinc.org":
        found = re.fullmatch(r"(\d{1,7})-(\d)", code)
        if found is not None and _luhn(found.group(1)) != int(found.group(2)):
            return "不是 LOINC 的编码（校验位不对）"
    elif "/ValueSet/" in system:
        return "编码的 system 写成了 ValueSet，应该是编码系统"
    return ""


# J. Verhoeff, Error detecting decimal codes (1969), as SNOMED CT uses it: the dihedral group D5 and one permutation
_PRODUCT = (
    *("0123456789", "1234067895", "2340178956", "3401289567", "4012395678"),
    *("5987604321", "6598710432", "7659821043", "8765932104", "9876543210"),
)
_PERMUTATION = "1576283094"


def _verhoeff(code: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(code)):
        moved = int(digit)
        for _ in range(place % 8):
            moved = int(_PERMUTATION[moved])
        total = int(_PRODUCT[total][moved])
    return total == 0


def _luhn(digits: str) -> int:
    doubled = int(digits[::-2]) * 2  # from the right, every other digit, doubled
    rest = digits[-2::-2]
    total = sum(map(int, str(doubled))) + sum(map(int, rest))
    return -total % 10

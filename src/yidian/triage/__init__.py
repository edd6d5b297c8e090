"""Red flags: rules as data, a three-valued engine over answers, and a reader of free text. Imports no Django."""

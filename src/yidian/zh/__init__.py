"""Chinese text: normalising, 简繁, pinyin, sentences and grams. Imports no Django, and nothing until used."""

// A self-test that runs in the reader's browser: no answer leaves the page. The operators are those of scoring.py, what
// would change a result that of change.py, a kept result that of result.py; a test holds them to the same bytes.
(function () {
  "use strict";
  const LEVELS = ["self_care", "appointment", "same_day", "emergency", "emergency_call"];
  const WHEN_UNKNOWN = { emergency_call: "same_day", emergency: "same_day" };
  const UNSURE = "unsure";
  const NUMERIC = ["decimal", "integer", "quantity"];
  const PAIRS_UP_TO = 20;
  const STEPS_EACH_WAY = 60;
  const RESULT = "urn:yidian:self-test-result";
  const WEIGHTS = ["ordinalValue", "itemWeight"].map((name) => "http://hl7.org/fhir/StructureDefinition/" + name);

  // ---- decimals: n / 10^s, exact as Python's Decimal is ----

  const known = new Map(); // limits and weights are read again for every answer set
  function decimal(written) {
    if (!known.has(written)) {
      const found = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(written));
      const places = found?.[3] || "";
      known.set(written, found ? { n: BigInt(found[1] + found[2] + places), s: places.length } : null);
    }
    return known.get(written);
  }
  const isDecimal = (value) => typeof value === "object" && value !== null;
  const scaled = (a, s) => (a.s === s ? a.n : a.n * 10n ** BigInt(s - a.s));
  function compare(a, b) {
    const s = Math.max(a.s, b.s);
    const left = scaled(a, s);
    const right = scaled(b, s);
    return left < right ? -1 : left > right ? 1 : 0;
  }
  function add(a, b) {
    const s = Math.max(a.s, b.s);
    return { n: scaled(a, s) + scaled(b, s), s };
  }
  const times = (a, b) => ({ n: a.n * b.n, s: a.s + b.s });
  const ZERO = { n: 0n, s: 0 };
  function plain(a) {
    const digits = (a.n < 0n ? -a.n : a.n).toString().padStart(a.s + 1, "0");
    const whole = digits.slice(0, digits.length - a.s);
    const places = a.s ? digits.slice(digits.length - a.s).replace(/0+$/, "") : "";
    return (a.n < 0n ? "-" : "") + whole + (places ? "." + places : "");
  }

  // ---- reading ----

  const extension = (element, test) => (element?.extension || []).find((each) => test(each.url || ""));
  const extended = (element, test) => {
    const found = extension(element, test);
    return found && found[Object.keys(found).find((key) => key.startsWith("value"))];
  };

  function readOption(option) {
    const coding = option.valueCoding || { code: String(option.valueInteger ?? option.valueString ?? "") };
    const isWeight = (url) => WEIGHTS.includes(url);
    const weight = extended(option, isWeight) ?? extended(option.valueCoding, isWeight);
    return {
      code: coding.code,
      display: coding.display || coding.code,
      system: coding.system || "",
      weight: weight === undefined ? null : decimal(weight),
    };
  }

  function prepare(questionnaire, sidecar, hashes) {
    const asked = new Map();
    const items = new Map();
    (function walk(list, parent) {
      for (const item of list || []) {
        items.set(item.linkId, { item, parent });
        if (item.type !== "group" && item.type !== "display") {
          const limit = (name) => decimal(extended(item, (url) => url.endsWith("/" + name)));
          asked.set(item.linkId, {
            linkId: item.linkId,
            text: item.text || "",
            type: item.type,
            options: (item.answerOption || []).map(readOption),
            unit: extended(item, (url) => url.endsWith("/questionnaire-unit"))?.display || "",
            minimum: limit("minValue"),
            maximum: limit("maxValue"),
            inMonths: item.type === "decimal" && extended(item, (url) => url.endsWith("/questionnaire-unit"))?.code === "a",
          });
        }
        walk(item.item, item.linkId);
      }
    })(questionnaire.item, null);
    const conditional = [...items.values()].some(({ item }) => (item.enableWhen || []).length);
    const looksAt = new Map((sidecar.red_flags || []).map((rule) => [rule.id, [...linkIds(rule.when)]]));
    return { questionnaire, sidecar, hashes, asked, items, conditional, looksAt };
  }

  const optionOf = (asked, code) => asked.options.find((option) => option.code === code);

  // ---- which questions are asked ----

  function enabledIds(form, answers) {
    if (!form.conditional) return new Set(form.asked.keys());
    const decided = new Map();
    function meets(condition) {
      const other = form.asked.get(condition.question);
      if (!other) return null;
      const given = isEnabled(condition.question) ? answers.get(condition.question) || [] : [];
      if (condition.operator === "exists") return given.length > 0 === condition.answerBoolean;
      const coding = condition.answerCoding;
      const number = decimal(condition.answerInteger ?? condition.answerDecimal ?? condition.answerQuantity?.value);
      const order = (value) => {
        if (coding) return value === coding.code && (optionOf(other, value)?.system || "") === (coding.system || "") ? 0 : 9;
        return isDecimal(value) && number ? compare(value, number) : 9;
      };
      const orders = given.map(order);
      if (condition.operator === "!=") return !orders.includes(0);
      const wanted = { "=": [0], ">": [1], "<": [-1], ">=": [0, 1], "<=": [-1, 0] }[condition.operator] || [];
      return orders.some((each) => wanted.includes(each));
    }
    function isEnabled(linkId) {
      if (decided.has(linkId)) return decided.get(linkId);
      decided.set(linkId, false);
      const { item, parent } = form.items.get(linkId);
      const results = (item.enableWhen || []).map(meets);
      let own = true;
      if (results.length) own = item.enableBehavior === "any" ? results.includes(true) : results.every((each) => each === true);
      decided.set(linkId, own && (parent === null || isEnabled(parent)));
      return decided.get(linkId);
    }
    return new Set([...form.asked.keys()].filter(isEnabled));
  }

  // ---- operators ----

  function single(expression) {
    for (const operator in expression) return [operator, expression[operator]];
  }
  const codes = (sheet, linkId) => (sheet.enabled.has(linkId) && sheet.answers.get(linkId)) || [];

  function weight(sheet, linkId) {
    const given = codes(sheet, linkId);
    let total = ZERO;
    for (const code of given) {
      const found = optionOf(sheet.form.asked.get(linkId), code)?.weight;
      if (!found) return null;
      total = add(total, found);
    }
    return given.length ? total : null;
  }
  function every(sheet, expressions) {
    const values = expressions.map((each) => number(sheet, each));
    return values.includes(null) ? null : values;
  }
  const total = (values) => values && values.reduce(add, ZERO);
  const extreme = (values, sign) => (values ? values.reduce((a, b) => (compare(b, a) * sign > 0 ? b : a)) : null);
  const rowOf = (table, value) =>
    value && table.find((each) => !("below" in each) || compare(value, decimal(each.below)) < 0);

  const NUMBERS = {
    value(sheet, linkId) {
      const given = codes(sheet, linkId);
      return given.length === 1 && isDecimal(given[0]) ? given[0] : null;
    },
    weight,
    weights: (sheet, linkIds) => total(every(sheet, linkIds.map((linkId) => ({ weight: linkId })))),
    sum: (sheet, expressions) => total(every(sheet, expressions)),
    weighted_sum(sheet, terms) {
      const values = every(sheet, terms.map((term) => term.of));
      return values && total(values.map((value, place) => times(decimal(terms[place].by), value)));
    },
    max: (sheet, expressions) => extreme(every(sheet, expressions), 1),
    min: (sheet, expressions) => extreme(every(sheet, expressions), -1),
    count_if(sheet, conditions) {
      const held = conditions.map((each) => holds(sheet, each));
      return held.includes(null) ? null : decimal(held.filter(Boolean).length);
    },
    lookup(sheet, { of, table }) {
      const row = rowOf(table, number(sheet, of));
      return row && row.gives !== null ? decimal(row.gives) : null;
    },
    choose(sheet, { by, cases }) {
      const given = codes(sheet, by);
      return given.length === 1 && given[0] in cases ? number(sheet, cases[given[0]]) : null;
    },
    bmi(sheet, body) {
      const kg = number(sheet, body.kg);
      const cm = number(sheet, body.cm);
      if (!kg || !cm || cm.n === 0n) return null;
      const upper = kg.n * 100000n * 10n ** BigInt(2 * cm.s);
      const lower = cm.n * cm.n * 10n ** BigInt(kg.s);
      return { n: (2n * upper + lower) / (2n * lower), s: 1 };
    },
    score: (sheet, name) => sheet.scores.get(name),
  };

  function number(sheet, expression) {
    if (!isDecimal(expression)) return decimal(expression);
    const [operator, argument] = single(expression);
    return NUMBERS[operator](sheet, argument);
  }

  const COMPARISONS = {
    ">=": (order) => order >= 0,
    ">": (order) => order > 0,
    "<=": (order) => order <= 0,
    "<": (order) => order < 0,
    "=": (order) => order === 0,
  };
  const count = (held, wanted) => held.filter((each) => each === wanted).length;

  // one that holds decides an "any", one that does not an "all"
  function together(sheet, conditions, decisive) {
    let known = true;
    for (const condition of conditions) {
      const held = holds(sheet, condition);
      if (held === decisive) return held;
      if (held === null) known = false;
    }
    return known ? !decisive : null;
  }

  const CONDITIONS = {
    is(sheet, pair) {
      const [linkId, code] = single(pair);
      if (!sheet.enabled.has(linkId)) return false;
      const given = codes(sheet, linkId);
      if (given.includes(code)) return true;
      return !given.length || given.includes(UNSURE) ? null : false;
    },
    compare(sheet, [left, sign, right]) {
      const a = number(sheet, left);
      const b = number(sheet, right);
      return a === null || b === null ? null : COMPARISONS[sign](compare(a, b));
    },
    all: (sheet, conditions) => together(sheet, conditions, false),
    any: (sheet, conditions) => together(sheet, conditions, true),
    not(sheet, condition) {
      const held = holds(sheet, condition);
      return held === null ? null : !held;
    },
    at_least(sheet, counted) {
      const held = counted.of.map((each) => holds(sheet, each));
      if (count(held, true) >= counted.count) return true;
      return count(held, true) + count(held, null) >= counted.count ? null : false;
    },
  };

  function holds(sheet, condition) {
    const [operator, argument] = single(condition);
    return CONDITIONS[operator](sheet, argument);
  }

  // ---- what a sum comes to, whatever is missing ----

  // the least, the most, and whether an answer has a part in them
  function limits(sheet, expression) {
    const value = number(sheet, expression);
    if (value) return [value, value, isDecimal(expression)];
    const [operator, argument] = single(expression);
    if (operator === "score") return limits(sheet, sheet.form.sidecar.scores[argument].is);
    if (operator === "weight" && sheet.enabled.has(argument)) {
      const weights = sheet.form.asked.get(argument).options.flatMap((option) => option.weight || []);
      return weights.length ? [extreme(weights, -1), extreme(weights, 1), false] : null;
    }
    if (operator !== "weights" && operator !== "sum") return null;
    const parts = argument.map((each) => limits(sheet, operator === "sum" ? each : { weight: each }));
    if (parts.includes(null)) return null;
    const added = (place) => total(parts.map((part) => part[place]));
    return [added(0), added(1), parts.some((part) => part[2])];
  }
  function between(sheet, expression) {
    const found = limits(sheet, expression);
    return found?.[2] ? found.slice(0, 2) : null;
  }

  // ---- words ----

  // months as years with two decimals, as an age is kept
  const yearsOf = (months) => decimal((months / 12).toFixed(2));

  // the age of a child under two as people say it; null for whole years and for what no number of months is
  function monthsOf(asked, value) {
    const years = Number(plain(value));
    const months = Math.round(years * 12);
    if (!asked.inMonths || years >= 2 || (months && months % 12 === 0) || compare(yearsOf(months), value)) return null;
    return months;
  }

  function said(asked, value) {
    const months = monthsOf(asked, value);
    return months === null ? (plain(value) + " " + asked.unit).trim() : months + " " + (asked.monthWord || "个月");
  }

  function answerText(asked, given) {
    return given
      .map((each) => (isDecimal(each) ? said(asked, each) : optionOf(asked, each)?.display || each))
      .join("、");
  }

  function written(sheet, expression) {
    if (!isDecimal(expression)) return plain(decimal(expression));
    const [operator, argument] = single(expression);
    if (operator === "value") return answerText(sheet.form.asked.get(argument), codes(sheet, argument));
    if (operator === "weights") return argument.map((linkId) => plain(weight(sheet, linkId))).join(" + ");
    if (operator === "sum") return argument.map((each) => written(sheet, each)).join(" + ");
    if (operator === "weighted_sum") {
      return argument
        .map((term, place) => {
          const by = decimal(term.by);
          const size = { n: by.n < 0n ? -by.n : by.n, s: by.s };
          const sign = place === 0 ? (by.n < 0n ? "− " : "") : by.n < 0n ? " − " : " + ";
          const of = written(sheet, term.of);
          return sign + (compare(size, decimal(1)) === 0 ? of : plain(size) + " × " + of);
        })
        .join("");
    }
    if (operator === "max" || operator === "min") {
      const inside = argument.map((each) => written(sheet, each)).join("，");
      return (operator === "max" ? "最大" : "最小") + "（" + inside + "）";
    }
    if (operator === "lookup") return written(sheet, argument.of);
    if (operator === "choose") return written(sheet, argument.cases[codes(sheet, argument.by)[0]]);
    if (operator === "bmi") {
      const cm = number(sheet, argument.cm);
      const metres = plain({ n: cm.n, s: cm.s + 2 });
      return plain(number(sheet, argument.kg)) + " ÷（" + metres + " × " + metres + "）";
    }
    return plain(number(sheet, expression));
  }

  function readsATable(expression) {
    if (!isDecimal(expression)) return false;
    return "lookup" in expression || Object.values(expression.choose?.cases || {}).some(readsATable);
  }

  function explained(sheet) {
    return Object.entries(sheet.form.sidecar.scores || {}).map(([name, rule]) => {
      const value = sheet.scores.get(name);
      const unit = " " + (rule.unit || "");
      if (value === null) {
        const found = between(sheet, { score: name });
        const known = found ? "至少 " + plain(found[0]) + unit + "，最多 " + plain(found[1]) + unit : "算不出";
        return rule.label + "：" + known + "。" + rule.missing;
      }
      const how = written(sheet, rule.is);
      let result = (plain(value) + unit).trim();
      if (readsATable(rule.is)) result = how + "，计 " + result;
      else if (how !== plain(value)) result = how + " = " + result;
      return rule.label + "：" + result;
    });
  }

  function linkIds(expression, found = new Set()) {
    if (Array.isArray(expression)) {
      for (const each of expression) linkIds(each, found);
    } else if (isDecimal(expression)) {
      for (const [operator, argument] of Object.entries(expression)) {
        if (operator === "value" || operator === "weight") found.add(argument);
        else if (operator === "weights") argument.forEach((each) => found.add(each));
        else if (operator === "is") Object.keys(argument).forEach((each) => found.add(each));
        else if (operator === "by" && typeof argument === "string") found.add(argument);
        else linkIds(argument, found);
      }
    }
    return found;
  }

  // ---- the result ----

  const highest = (levels) => levels.reduce((a, b) => (a === null || LEVELS.indexOf(b) > LEVELS.indexOf(a) ? b : a), null);

  function scored(form, answers) {
    const sheet = { form, answers, enabled: enabledIds(form, answers), scores: new Map() };
    for (const [name, rule] of Object.entries(form.sidecar.scores || {})) sheet.scores.set(name, number(sheet, rule.is));
    return sheet;
  }

  function judged(sheet) {
    const bands = [];
    const openBands = [];
    for (const scale of sheet.form.sidecar.bands || []) {
      const value = number(sheet, scale.of);
      const row = rowOf(scale.table, value);
      if (row) bands.push({ scale, row, value });
      const found = value ? null : between(sheet, scale.of);
      if (found) {
        const [low, high] = found.map((limit) => scale.table.indexOf(rowOf(scale.table, limit)));
        openBands.push({ scale, rows: scale.table.slice(low, high + 1) });
      }
    }
    const lowest = ({ rows }) => LEVELS[Math.min(...rows.map((row) => LEVELS.indexOf(row.level)))];
    const fired = [];
    const open = [];
    for (const rule of sheet.form.sidecar.red_flags || []) {
      const held = holds(sheet, rule.when);
      if (held) fired.push(rule);
      else if (held === null) open.push(rule);
    }
    const raised = highest([
      ...fired.map((rule) => rule.level),
      ...open.map((rule) => WHEN_UNKNOWN[rule.level] || "appointment"),
      ...bands.flatMap(({ row }) => row.level || []),
      ...openBands.map(lowest).filter((level) => level !== LEVELS[0]),
    ]);
    return { bands, openBands, fired, open, level: raised || sheet.form.sidecar.otherwise || null };
  }

  function outcome(form, answers) {
    const sheet = scored(form, answers);
    const { bands, openBands, fired, open, level } = judged(sheet);
    const shown = (rule, answered) => ({
      id: rule.id,
      level: rule.level,
      heading: rule.heading,
      message: answered ? rule.message : rule.unknown || rule.message,
      because: form.looksAt.get(rule.id)
        .filter((linkId) => {
          const given = codes(sheet, linkId);
          return sheet.enabled.has(linkId) && (given.length > 0 && !given.includes(UNSURE)) === answered;
        })
        .map((linkId) => {
          const asked = form.asked.get(linkId);
          return { linkId, question: asked.text, answer: answerText(asked, codes(sheet, linkId)) };
        }),
    });
    const scores = {};
    const possible = {};
    for (const [name, value] of sheet.scores) {
      scores[name] = value === null ? null : Number(plain(value));
      const found = value === null && between(sheet, { score: name });
      if (found) possible[name] = found.map((limit) => Number(plain(limit)));
    }
    const named = bands.map(
      ({ scale, row, value }) => scale.label + "：" + plain(value) + "，属于“" + row.name + "”（" + row.range + "）",
    );
    return {
      enabled: [...sheet.enabled],
      scores,
      band: bands.length ? bands[0].row.code : null,
      bands: Object.fromEntries(bands.map(({ scale, row }) => [scale.code, row.code])),
      between: possible,
      bands_between: Object.fromEntries(openBands.map(({ scale, rows }) => [scale.code, [rows[0].code, rows.at(-1).code]])),
      level,
      red_flags: fired.map((rule) => shown(rule, true)),
      not_excluded: open.map((rule) => shown(rule, false)),
      explanation: [...explained(sheet), ...named],
    };
  }

  // ---- what would change it ----

  function choices(asked, given) {
    const list = asked.options.map((option) => option.code).filter((code) => code !== UNSURE);
    const here = list.indexOf(given[0]);
    return list
      .map((code, place) => ({ far: here < 0 ? 1 : Math.abs(place - here), given: [code] }))
      .filter(({ far }) => far)
      .sort((a, b) => a.far - b.far);
  }
  function numbers(asked, given, from, to, places) {
    const found = [];
    for (let step = from; step <= to; step += 1) {
      for (const signed of [-step, step]) {
        const value = add(given[0], { n: BigInt(signed), s: places });
        const fits = (asked.minimum === null || compare(value, asked.minimum) >= 0) &&
          (asked.maximum === null || compare(value, asked.maximum) <= 0);
        if (fits) found.push({ far: step, given: [value] });
      }
    }
    return found;
  }
  function candidates(asked, given) {
    if (asked.options.length) return choices(asked, given);
    return NUMERIC.includes(asked.type) && given.length ? numbers(asked, given, 1, STEPS_EACH_WAY, 0) : [];
  }

  function smallestChange(form, answers) {
    // of each scale the band, or the least that it may come to
    const result = (changes) => {
      const { bands, openBands, level } = judged(scored(form, new Map([...answers, ...changes])));
      const found = [...bands, ...openBands].map(({ scale, row, rows }) => [scale.code, (row || rows[0]).code, !row]);
      return { level, found, bands: found.map(([scale, band]) => scale + " " + band).sort().join() };
    };
    const now = result([]);
    if (now.level === null) return null;
    const differs = (changes) => {
      const after = result(changes);
      return after.level !== now.level || after.bands !== now.bands;
    };
    const told = (changes) => {
      const { level, found } = result(changes);
      const [, band = null, at_least = false] = found[0] || [];
      return {
        changes: changes.map(([linkId, given]) => {
          const asked = form.asked.get(linkId);
          const from = answerText(asked, answers.get(linkId) || []);
          return { linkId, question: asked.text, from, to: answerText(asked, given) };
        }),
        level, band, at_least,
      };
    };
    const fixed = form.sidecar.fixed || [];
    const movable = [...enabledIds(form, answers)].filter((linkId) => !fixed.includes(linkId));
    const options = movable.map((linkId) => candidates(form.asked.get(linkId), answers.get(linkId) || []));
    const numeric = (linkId) => NUMERIC.includes(form.asked.get(linkId).type);
    const nearest = (a, b) => a.far - b.far;
    const singles = movable.flatMap((linkId, place) => options[place].map((each) => ({ linkId, ...each })));
    for (const { linkId, far, given } of singles.sort(nearest)) {
      if (!differs([[linkId, given]])) continue;
      const asked = form.asked.get(linkId);
      const finer = numeric(linkId) && asked.type !== "integer"
        ? numbers(asked, answers.get(linkId), far * 10 - 9, far * 10 - 1, 1).find((each) => differs([[linkId, each.given]]))
        : null;
      return told([[linkId, (finer || { given }).given]]);
    }
    if (movable.length > PAIRS_UP_TO || movable.some(numeric)) return null;
    const pairs = movable.flatMap((first, place) =>
      movable.slice(place + 1).flatMap((second, after) =>
        options[place].flatMap((one) =>
          options[place + 1 + after].map((two) => ({ far: one.far + two.far, changes: [[first, one.given], [second, two.given]] })))));
    const found = pairs.sort(nearest).find(({ changes }) => differs(changes));
    return found ? told(found.changes) : null;
  }

  // ---- a result that can be kept ----

  function canonical(value) {
    if (Array.isArray(value)) return "[" + value.map(canonical).join() + "]";
    if (!isDecimal(value)) return JSON.stringify(value);
    return "{" + Object.keys(value).sort().map((key) => JSON.stringify(key) + ":" + canonical(value[key])).join() + "}";
  }

  function responseOf(form, answers, words) {
    const value = (asked, given) => {
      if (isDecimal(given)) {
        const number = Number(plain(given));
        if (asked.type === "quantity") return { valueQuantity: { value: number } };
        return asked.type === "integer" ? { valueInteger: number } : { valueDecimal: number };
      }
      const { system, display } = optionOf(asked, given);
      return { valueCoding: { ...(system && { system }), code: given, ...(words && { display }) } };
    };
    const branch = (items) => (items || []).flatMap(({ linkId, text, item }) => {
      const children = branch(item);
      const asked = form.asked.get(linkId);
      const answer = asked ? (answers.get(linkId) || []).map((given) => value(asked, given)) : [];
      if (!answer.length && (asked || !children.length)) return [];
      if (answer.length && children.length) answer[0].item = children;
      return [{ linkId, ...(words && text !== undefined && { text }), ...(answer.length ? { answer } : { item: children }) }];
    });
    const { url, item } = form.questionnaire;
    const made = branch(item);
    return {
      resourceType: "QuestionnaireResponse", status: "completed",
      ...(url && { questionnaire: url }), ...(made.length && { item: made }),
    };
  }

  function kept(form, given, authored, words) {
    const shown = enabledIds(form, given);
    const answers = new Map([...given].filter(([linkId]) => shown.has(linkId)));
    const { band, bands, bands_between, between: limited, level, scores, red_flags, not_excluded } = outcome(form, answers);
    const ids = (rules) => rules.map((rule) => rule.id);
    const result = { band, bands, bands_between, between: limited, level, scores, red_flags: ids(red_flags), not_excluded: ids(not_excluded) };
    const parts = Object.entries({ ...form.hashes, result: canonical(result) });
    const extension = parts.map(([url, valueString]) => ({ url, valueString }));
    return { ...responseOf(form, answers, words), ...(authored && { authored }), extension: [{ url: RESULT, extension }] };
  }

  window.yidianSelfTest = {
    LEVELS, answerText, compare, decimal, enabledIds, kept, monthsOf, optionOf, outcome, plain, prepare, smallestChange, yearsOf,
  };
})();

// The page of a self-test while it runs in the browser: the same markup as the server's, built from the definition in
// the page. No answer leaves it.
(function () {
  "use strict";
  const { LEVELS, answerText, compare, decimal, enabledIds, kept, monthsOf, optionOf, outcome, plain, prepare, smallestChange,
    yearsOf } = window.yidianSelfTest;
  const block = document.getElementById("self-test-definition");
  const place = document.getElementById("self-test");
  if (!block || !place) return;
  const { questionnaire, shared, sidecar, hashes, words, levels, stopping, maxOpen, maxMonths, hashShown, hant, guides: following, guide } =
    JSON.parse(block.textContent);
  (function fillIn(items) {
    for (const item of items) {
      for (const key in shared) if (key in item) item[key] = shared[key][item[key]];
      fillIn(item.item || []);
    }
  })(questionnaire.item);
  const form = prepare(questionnaire, sidecar, hashes);
  for (const asked of form.asked.values()) asked.monthWord = words.months;
  const intro = [...place.childNodes];
  const about = document.querySelector(".self-test__about");
  const guides = document.querySelectorAll(".self-test__guide");
  let answers = new Map();

  const today = () => new Date().toLocaleDateString("sv"); // the Swedish way is 2026-11-26
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name === "press") element.addEventListener("click", value);
      else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value === true ? "" : value);
    }
    element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    return element;
  }
  const name = make("p", { class: "self-test__name" }, questionnaire.title);
  const button = (text, press, more) => make("button", { type: "button", class: "button", press, ...more }, text);
  const quietButton = (text, press, more) => button(text, press, { class: "button button--plain", ...more });

  function show(stage, ...children) {
    place.dataset.stage = stage;
    place.replaceChildren(...children);
    about.hidden = stage === "question" || stage === "review";
    if (stage === "intro") name.remove();
    else place.before(name);
    const heading = place.querySelector("h1");
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
    const top = place.getBoundingClientRect().top;
    if (top < 0 || top > innerHeight / 2) place.scrollIntoView({ block: "start" });
  }

  // Every move is one step of the browser's own history, which holds the place and never an answer.
  function go(step) {
    history.pushState({ selfTest: step }, "");
    render(step);
  }

  // a step without a state is a jump within the page, to a source: the answers stay
  history.replaceState({ selfTest: { stage: "intro" } }, "");
  addEventListener("popstate", (event) => event.state && render(event.state.selfTest));

  function render(step) {
    if (step.stage === "question") showQuestion(step.at);
    else if (step.stage === "review") showReview();
    else if (step.stage === "result") showResult(step.stopped);
    else showIntro();
  }

  function showIntro() {
    answers = new Map();
    for (const guide of guides) guide.hidden = false;
    show("intro", ...intro);
  }

  const questionsIn = (item) =>
    (item.type === "group" ? [] : [item.linkId]).concat(...(item.item || []).map(questionsIn));
  const screens = () => {
    const enabled = enabledIds(form, answers);
    return questionnaire.item
      .map((item) => ({ heading: item.item ? item.text : "", ids: questionsIn(item).filter((linkId) => enabled.has(linkId)) }))
      .filter(({ ids }) => ids.length);
  };
  const screenOf = (linkId) => screens().findIndex(({ ids }) => ids.includes(linkId));

  function firedNow() {
    const found = outcome(form, answers);
    found.red_flags.sort((a, b) => LEVELS.indexOf(b.level) - LEVELS.indexOf(a.level));
    for (const rule of found.red_flags) {
      const { crisis, guide, sources } = sidecar.red_flags.find((each) => each.id === rule.id);
      Object.assign(rule, { crisis, guide, sources });
    }
    return found;
  }

  function onward(linkId) {
    if (firedNow().red_flags.some((rule) => stopping.includes(rule.level))) return go({ stage: "result", stopped: true });
    const next = screens()[screenOf(linkId) + 1];
    go(next ? { stage: "question", at: next.ids[0] } : { stage: "review" });
  }

  function parse(asked, typed, months) {
    const text = typed.normalize("NFKC").trim();
    if (months) {
      if (!/^\d{1,4}$/.test(text)) return { fault: words.give_whole };
      if (Number(text) > maxMonths) return { fault: fill(words.out_of_range, { low: 0, high: maxMonths }) };
      return { value: yearsOf(Number(text)) };
    }
    const whole = asked.type === "integer";
    if (!(whole ? /^\d{1,4}$/ : /^\d{1,4}(\.\d{1,2})?$/).test(text)) return { fault: whole ? words.give_whole : words.give_number };
    const value = decimal(text);
    if ((asked.minimum && compare(value, asked.minimum) < 0) || (asked.maximum && compare(value, asked.maximum) > 0)) {
      return { fault: fill(words.out_of_range, { low: plain(asked.minimum), high: plain(asked.maximum) }) };
    }
    return { value };
  }

  function choices(asked) {
    const given = answers.get(asked.linkId) || [];
    return make("ul", { class: "test-question__choices plain-list", "aria-labelledby": "test-question" },
      asked.options.map((option) => {
        const chosen = given.includes(option.code);
        const press = () => {
          answers.set(asked.linkId, [option.code]);
          onward(asked.linkId);
        };
        return make("li", null, make("button", { type: "button", class: chosen && "is-chosen", press }, option.display,
          chosen && make("span", { class: "test-question__chosen" }, words.chosen)));
      }));
  }

  // the questions of a group on one screen; what is left open becomes no or unsure when the reader says so
  function rows(ids) {
    const rest = (code) => () => {
      for (const linkId of ids) if (!answers.has(linkId)) answers.set(linkId, [code]);
      onward(ids[0]);
    };
    return [
      ...ids.map((linkId) => {
        const asked = form.asked.get(linkId);
        return make("fieldset", { class: "test-question__row" }, make("legend", null, asked.text),
          asked.options.map((option) => {
            const radio = make("input", { type: "radio", name: linkId, press: () => answers.set(linkId, [option.code]) });
            radio.checked = (answers.get(linkId) || []).includes(option.code);
            return make("label", null, radio, option.display);
          }));
      }),
      make("p", { class: "test-question__ways" }, button(words.rest_no, rest("no")), quietButton(words.rest_unsure, rest("unsure"))),
    ];
  }

  function numberField(asked) {
    const given = answers.get(asked.linkId);
    const months = given ? monthsOf(asked, given[0]) : null;
    const unit = asked.inMonths && make("select", { id: "test-unit", "aria-label": words.unit_label, autocomplete: "off" },
      make("option", { value: "" }, asked.unit), make("option", { value: "months", selected: months !== null }, words.months));
    const input = make("input", {
      type: "text", value: months ?? (given ? plain(given[0]) : ""), inputmode: asked.type === "integer" ? "numeric" : "decimal",
      autocomplete: "off", maxlength: 8, "aria-labelledby": "test-question" + (asked.unit && !unit ? " test-unit" : ""),
    });
    const field = make("div", { class: "field test-question__number" }, input,
      unit || (asked.unit && make("span", { id: "test-unit" }, asked.unit)));
    const submit = (event) => {
      event.preventDefault();
      const { value, fault } = parse(asked, input.value, unit && unit.value === "months");
      if (value) {
        answers.set(asked.linkId, [value]);
        return onward(asked.linkId);
      }
      document.getElementById("test-fault")?.remove();
      field.before(make("p", { class: "field__error", id: "test-fault", role: "alert" }, fault));
      field.classList.add("field--error");
      input.setAttribute("aria-invalid", "true");
      input.setAttribute("aria-describedby", "test-fault");
      input.focus();
    };
    return { field, submit };
  }

  function showQuestion(linkId) {
    const list = screens();
    const at = Math.max(0, screenOf(linkId));
    const { heading, ids } = list[at];
    const asked = form.asked.get(ids[0]);
    const typing = heading || asked.options.length ? null : numberField(asked);
    const progress = sidecar.kind === "triage" ? words.progress_steps : words.progress;
    const back = at === 0
      ? quietButton(words.leave, () => go({ stage: "intro" }))
      : quietButton(words.back, () => go({ stage: "question", at: list[at - 1].ids[0] }));
    const skip = !heading && quietButton(words.skip, () => {
      answers.delete(asked.linkId);
      onward(asked.linkId);
    });
    const page = make("form", { class: "test-question", novalidate: true },
      make("p", { class: "test-question__progress" }, fill(progress, { n: at + 1, m: list.length })),
      sidecar.instructions && make("p", { class: "test-question__instructions" }, sidecar.instructions),
      make("h1", { class: "test-question__text", id: "test-question" }, heading || asked.text),
      heading ? rows(ids) : typing ? [typing.field, make("p", null, make("button", { class: "button", type: "submit" }, words.next))] : choices(asked),
      make("p", { class: "test-question__ways" }, [back, skip]));
    page.addEventListener("submit", typing ? typing.submit : (event) => event.preventDefault());
    show("question", page);
  }

  function answerList(enabled) {
    return make("ol", { class: "test-answers" }, enabled.map((linkId, index) => {
      const asked = form.asked.get(linkId);
      const given = answers.get(linkId) || [];
      const points = asked.options.length && given.length ? optionOf(asked, given[0])?.weight : null;
      return make("li", { value: index + 1 },
        make("span", { class: "test-answers__question" }, asked.text), " ",
        make("b", { class: "test-answers__answer" }, answerText(asked, given) || words.unanswered,
          points && make("span", { class: "num" }, fill(words.points, { n: plain(points) }))), " ",
        make("button", { type: "button", "aria-label": fill(words.change_of, { question: asked.text }),
          press: () => go({ stage: "question", at: linkId }) }, words.change));
    }));
  }

  // The way to a guide. The answers that it asks for too go along only when the reader says so, in this tab's memory.
  function guideWay(slug, onlyMine) {
    if (!following[slug]) return null;
    const { name, url, asked } = following[slug];
    const carried = {};
    for (const key in asked) {
      const said = asked[key].flatMap((linkId) => answers.get(linkId) || []);
      const answer = ["yes", "unsure"].find((each) => said.includes(each));
      if (answer) carried[key] = answer;
    }
    if (!Object.keys(carried).length) {
      return onlyMine ? null : make("p", { class: "flag-card__guide no-print" }, make("a", { href: url }, fill(words.guide, { name })));
    }
    const press = () => {
      try {
        sessionStorage.setItem("yidian.guide", JSON.stringify({ slug, answers: carried }));
      } catch {
        // Refused: the guide asks again.
      }
      location.assign(url);
    };
    return make("p", { class: "flag-card__guide no-print" }, quietButton(fill(words.guide_mine, { name }), press));
  }

  function flagCard(rule) {
    const calls = rule.crisis || rule.level === "emergency_call";
    return make("section", { class: `care-card care-card--${rule.level} flag-card` },
      make("h2", null, rule.heading),
      make("div", { class: "flag-card__body" },
        make("p", null, rule.message),
        rule.because.length > 0 && make("p", { class: "flag-card__because" }, words.because,
          rule.because.flatMap((each, index) => [index > 0 && "；", each.question, make("b", null, each.answer)])),
        make("p", { class: "flag-card__because num" }, words.rests_on,
          rule.sources.map((number) => make("a", { href: "#source-" + number }, String(number)))),
        calls && make("p", { class: "flag-card__call", "data-read-skip": true },
          rule.crisis && make("a", { href: "tel:12356" }, words.call_12356),
          make("a", { href: "tel:120" }, words.call_120)),
        guideWay(rule.guide)));
  }

  function showReview() {
    const found = firedNow();
    show("review",
      ...found.red_flags.map(flagCard),
      make("h1", { class: "test-result__title", id: "test-result" }, words.review_title),
      make("p", null, words.review_intro),
      answerList(found.enabled),
      make("p", { class: "test-result__ways" }, button(words.result, () => go({ stage: "result", stopped: false }))));
  }

  function changeText(found) {
    const change = smallestChange(form, answers);
    if (!change) return null;
    const row = (sidecar.bands || []).flatMap((scale) => scale.table).find((each) => each.code === change.band);
    const level = change.level !== found.level && levels[change.level];
    const name = row ? row.name : words.change_other;
    const result = level || (change.at_least ? fill(words.change_at_least, { name }) : name);
    return words.change_if +
      change.changes.map((each) => fill(words.change_text, each)).join(words.change_and) +
      fill(words.change_then, { result });
  }

  function bandCard({ code, label, table }, found) {
    const rowOf = (wanted) => table.find((each) => each.code === wanted);
    const card = (name, range, text) => make("section", { class: "test-band" },
      make("p", { class: "test-band__name" }, name, make("span", null, label + " " + range)), make("p", null, text));
    const row = rowOf(found.bands[code]);
    if (row) return card(row.name, row.range, row.text);
    const [low, high] = (found.bands_between[code] || []).map(rowOf);
    if (!low) return [];
    if (low === high) return card(low.name, low.range, words.whatever + low.text);
    const text = fill(words.may_be_higher, high);
    if (low === table[0]) return card(words.not_banded, "", text);
    return card(fill(words.at_least, low), low.range, text + low.text);
  }

  // what the reader takes along is made here, from what the page says, and goes to their own device
  function pageText(page) {
    const lines = [...page.querySelectorAll("h1, h2, p, li")].filter((each) => !each.closest(".no-print")).map((each) => {
      const copy = each.cloneNode(true);
      for (const button of copy.querySelectorAll("button")) button.remove();
      for (const inside of copy.querySelectorAll("*")) inside.before(" ");
      const mark = { H2: "\n", LI: "- " }[each.tagName] || "";
      return mark + copy.textContent.replace(/\s+/g, " ").trim() + "\n";
    });
    return questionnaire.title + "\n" + lines.join("");
  }

  function save(text, type, suffix) {
    const href = URL.createObjectURL(new Blob([text], { type }));
    make("a", { href, download: questionnaire.id + "-" + today() + suffix }).click();
    setTimeout(() => URL.revokeObjectURL(href), 60_000);
  }

  // the old way to copy: the new one is closed to a site in a hospital's own network without https
  function copy(text, after) {
    const field = make("textarea", { class: "test-result__copied", readonly: true }, text);
    place.querySelector(".test-result__copied")?.remove();
    after.append(field);
    field.select();
    if (document.execCommand("copy")) field.replaceWith(make("p", { class: "test-result__copied", role: "status" }, words.copied));
  }

  function keeping(page) {
    const section = make("section", { class: "no-print" }, make("h2", null, words.keep_title), make("p", null, words.keep_text),
      make("p", { class: "test-result__ways" },
        quietButton(words.print, () => print()),
        quietButton(words.copy, () => copy(pageText(page), section)),
        quietButton(words.save_text, () => save(pageText(page), "text/plain", ".txt")),
        quietButton(words.save_data, () =>
          save(JSON.stringify(kept(form, answers, new Date().toISOString(), !hant), null, 2), "application/fhir+json", ".json"))));
    return section;
  }

  // the engine speaks 简体; all else in the definition is in the page's script already
  const inScript = (line) => line.replaceAll("属于", words.falls_in).replaceAll("计", words.counts);

  function showResult(stopped) {
    const found = firedNow();
    const fired = stopped ? found.red_flags.filter((rule) => stopping.includes(rule.level)) : found.red_flags;
    const section = (title, ...children) => make("section", null, make("h2", null, title), ...children);
    // what to do at leisure has no place beside a red flag
    for (const guide of guides) guide.hidden = fired.length > 0;
    const page = make("div", { class: "test-result" });
    page.append(make("h1", { class: "test-result__title", id: "test-result" }, stopped ? words.stopped : words.result_title));
    if (stopped) page.append(make("p", null, words.stopped_text));
    page.append(...fired.map(flagCard));
    if (stopped) {
      page.append(make("p", null, words.stopped_wrong), make("p", { class: "test-result__ways" },
        fired.flatMap((rule) => rule.because).map((each) =>
          quietButton(fill(words.change_of, each), () => go({ stage: "question", at: each.linkId })))));
    } else {
      page.append(found.level
        ? make("p", { class: "test-result__level" }, make("b", null, words.level + levels[found.level]))
        : make("p", null, words.no_level));
      page.append(...(sidecar.bands || []).flatMap((scale) => bandCard(scale, found)));
      if (found.not_excluded.length) {
        const open = [...found.not_excluded].sort((a, b) => LEVELS.indexOf(b.level) - LEVELS.indexOf(a.level));
        page.append(section(words.open_title, make("p", null, words.open_text),
          make("ul", { class: "dots-list" }, open.slice(0, maxOpen).map((rule) =>
            make("li", null, rule.because.map((each) => each.question),
              make("b", null, fill(words.open_if, { level: levels[rule.level] })), rule.message))),
          open.length > maxOpen ? make("p", null, fill(words.open_more, { n: open.length - maxOpen })) : ""));
      } else if ((sidecar.red_flags || []).length && !fired.length) {
        page.append(make("p", null, words.no_flags));
      }
      if (found.explanation.length) {
        page.append(section(words.how_title, make("ul", { class: "test-result__sum plain-list num" },
          found.explanation.map((line) => make("li", null, inScript(line))))));
      }
      const change = changeText(found);
      if (change) page.append(section(words.change_title, make("p", null, change)));
      page.append(section(words.answers_title, answerList(found.enabled)));
    }
    const shown = Object.fromEntries(Object.entries(hashes).map(([key, digest]) => [key, digest.slice(0, hashShown)]));
    const way = fired.length ? null : guideWay(guide, true);
    page.append(...(way ? [way] : []), make("p", { class: "test-result__kept" }, words.screening),
      make("p", { class: "test-result__basis num" }, fill(words.basis, { date: today(), ...shown })),
      keeping(page),
      make("p", { class: "test-result__ways no-print" }, button(words.again, () => go({ stage: "intro" }))));
    show("result", page);
  }

  place.addEventListener("submit", (event) => {
    if (place.dataset.stage !== "intro") return;
    event.preventDefault();
    go({ stage: "question", at: screens()[0].ids[0] });
  });
})();

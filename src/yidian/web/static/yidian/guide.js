// An action guide with scripts: steps that are not for this reader go, and timed steps get a timer. Nothing is sent; what
// was answered lives in the page, and in this tab's memory only while the reader carries it to the next page.
(function () {
  "use strict";
  const kept = document.getElementById("guide-words")?.dataset;
  if (!kept) return;
  // data-say-…: what scripts say, in 繁體 on pages in 繁體
  const words = Object.fromEntries(Object.entries(kept).map(([name, text]) => [name[3].toLowerCase() + name.slice(4), text]));
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);
  const slug = location.pathname.match(/\/guides\/([^/]+)\//)?.[1];
  const CARRIED = "yidian.guide";

  function make(tag, name, ...children) {
    const element = document.createElement(tag);
    if (name) element.className = name;
    element.append(...children);
    return element;
  }

  // ---- timers ----

  const running = new Map();

  function lasting(seconds) {
    const [m, s] = [Math.floor(seconds / 60), seconds % 60];
    return fill(m && s ? words.both : m ? words.minutes : words.seconds, { m, s });
  }

  for (const step of all(".step[data-seconds]")) {
    const total = Number(step.dataset.seconds);
    const button = make("button", "button button--plain");
    const left = make("span", "step__left num");
    const said = make("span", "visually-hidden");
    button.type = "button";
    left.setAttribute("role", "timer");
    said.setAttribute("role", "status");
    let ticking = 0;
    const stop = (text = "") => {
      clearInterval(ticking);
      ticking = 0;
      running.delete(step);
      button.textContent = fill(words.start, { time: lasting(total) });
      left.textContent = said.textContent = text;
    };
    const start = () => {
      for (const other of [...running.values()]) other();
      const end = Date.now() + total * 1000;
      const tick = () => {
        const n = Math.ceil((end - Date.now()) / 1000);
        if (n > 0) {
          left.textContent = fill(words.left, { time: lasting(n) });
          return;
        }
        stop(words.done);
        navigator.vibrate?.([300, 150, 300]);
      };
      running.set(step, stop);
      said.textContent = "";
      button.textContent = words.stop;
      ticking = setInterval(tick, 250);
      tick();
    };
    button.addEventListener("click", () => (ticking ? stop() : start()));
    stop();
    const box = make("div", "step__timer no-print", button, left, said);
    box.dataset.readSkip = "";
    // first read what to do, then start
    (step.querySelector(".prose") || step.querySelector(".step__time")).after(box);
  }

  // ---- who must not do what ----

  const asked = all("[data-asks]").map((row) => ({
    key: row.dataset.asks,
    removes: row.dataset.removes.split(" "),
    question: row.querySelector("[data-question]").textContent,
    instead: row.querySelector("[data-instead]"),
  }));
  const form = document.querySelector("[data-asked]");
  const outcome = document.getElementById("before-outcome");
  // a page that the server has fitted has lost its steps for good: its form is posted again
  if (!asked.length || outcome?.childNodes.length) return;
  const again = form?.querySelector("[data-again]");
  const skip = form?.parentElement.querySelector('a[href="#phase-1"]')?.parentElement;
  let undo = [];
  let given = null;

  const copyOf = (each) => {
    const copy = each.instead.cloneNode(true);
    for (const anchor of all("[id]", copy)) anchor.removeAttribute("id");
    return [...copy.childNodes];
  };

  function replace(element, ...by) {
    const mark = document.createComment("");
    element.replaceWith(mark, ...by);
    undo.push(() => {
      for (const each of by) each.remove();
      mark.replaceWith(element);
    });
  }

  function restore() {
    for (const each of undo.reverse()) each();
    undo = [];
    given = null;
  }

  // the call first, then the emergency room, then the rest as asked
  function urgency({ instead }) {
    const at = ["拨打 120", "撥打 120", "急诊", "急診"].findIndex((word) => instead.textContent.includes(word));
    return at < 0 ? 2 : at >> 1;
  }

  function fit(answers) {
    restore();
    given = answers;
    const forbidding = asked
      .filter(({ key }) => answers[key] === "yes" || answers[key] === "unsure")
      .sort((a, b) => urgency(a) - urgency(b));
    let removed = 0;
    let main = false;
    for (const list of new Set(all("[data-step]").map((step) => step.closest("ol")))) {
      let before = "";
      for (const step of [...list.children]) {
        const reasons = forbidding.filter(({ removes }) => removes.includes(step.dataset.step));
        const keys = reasons.map(({ key }) => key).join(" ");
        if (keys) {
          removed += 1;
          main = main || list === document.querySelector(".steps, .handout__pairs ol");
          running.get(step)?.();
          const item = make("li", form ? "step step--removed" : "");
          if (!form) item.append(words.gone);
          else if (keys === before) item.append(make("p", "", words.same));
        else if (reasons.length > 2) item.append(make("p", "", fill(words.many, { n: reasons.length })));
          else {
            for (const each of reasons) {
              const why = words[answers[each.key] === "yes" ? "whyYes" : "whyUnsure"];
              item.append(make("p", "", make("b", "", fill(why, { question: each.question })), ...copyOf(each)));
            }
          }
          replace(step, item);
        }
        before = keys;
      }
    }
    // the lead and 可以这样做 say the first steps again
    if (main) for (const short of all(".lead, .do-dont__do, .handout__answer")) replace(short);
    if (!form) return;
    const said = (removed ? fill(words.removed, { n: removed }) : "") + (asked.every(({ key }) => answers[key]) ? "" : words.open);
    outcome.replaceChildren(
      make("p", "", make("b", "", said || words.nothing)),
      ...(forbidding.length ? [make("ul", "dots-list", ...forbidding.map((each) => make("li", "",
        answers[each.key] === "unsure" ? fill(words.ifUnsure, { question: each.question }) : "", ...copyOf(each))))] : []),
    );
    again.hidden = false;
    skip.hidden = true;
  }

  form?.addEventListener("submit", (event) => {
    event.preventDefault();
    const said = new FormData(form);
    fit(Object.fromEntries(asked.map(({ key }) => [key, said.get(`c.${key}`) || "unsure"])));
    for (const { key } of asked) choose(key, given[key]);
    outcome.focus();
  });

  again?.addEventListener("click", (event) => {
    event.preventDefault();
    restore();
    form.reset();
    outcome.replaceChildren();
    again.hidden = true;
    skip.hidden = false;
  });

  function choose(key, answer) {
    const radio = form?.querySelector(`input[name="c.${key}"][value="${answer}"]`);
    if (radio) radio.checked = true;
  }

  // ---- carried by the reader from a self-test to here, and from here to the one page ----

  document.querySelector("[data-handout]")?.addEventListener("click", () => {
    if (!given) return;
    try {
      sessionStorage.setItem(CARRIED, JSON.stringify({ slug, answers: given }));
    } catch {
      // Refused: the one page then shows every step beside its conditions, as it does for everyone.
    }
  });

  try {
    const carried = JSON.parse(sessionStorage.getItem(CARRIED));
    sessionStorage.removeItem(CARRIED);
    if (carried?.slug === slug) {
      fit(carried.answers);
      for (const [key, answer] of Object.entries(carried.answers)) choose(key, answer);
    }
  } catch {
    // Nothing was carried.
  }
})();

// What a page gains when scripts run. Everything here is an addition: without it the page is complete.
(function () {
  "use strict";
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, key) => values[key]);

  function store(key, value) {
    try {
      if (value) localStorage.setItem(key, value);
      else localStorage.removeItem(key);
    } catch {
      // Storage may be refused; the choice then lasts for this page.
    }
  }

  // ---- modes ----

  const care = document.getElementById("care");
  if (care) {
    care.checked = root.dataset.care === "on";
    care.addEventListener("change", () => {
      if (care.checked) root.dataset.care = "on";
      else delete root.dataset.care;
      store("yidian.care", care.checked ? "on" : "");
    });
  }

  for (const choice of all('input[name="theme"]')) {
    choice.checked = choice.value === (root.dataset.theme || "auto");
    choice.addEventListener("change", () => {
      if (choice.value === "auto") delete root.dataset.theme;
      else root.dataset.theme = choice.value;
      store("yidian.theme", choice.value === "auto" ? "" : choice.value);
    });
  }

  addEventListener("storage", (event) => {
    if (event.key === "yidian.care" && care) {
      care.checked = event.newValue === "on";
      if (care.checked) root.dataset.care = "on";
      else delete root.dataset.care;
    }
  });

  // ---- suggestions: nothing is asked while an input method is composing ----

  for (const form of all("[data-suggestions]")) {
    const input = form.querySelector("input");
    const list = document.createElement("ul");
    list.className = "search-box__suggestions";
    list.id = input.id + "-suggestions";
    list.hidden = true;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", form.querySelector("label").textContent);
    const status = document.createElement("span");
    status.className = "visually-hidden";
    status.setAttribute("role", "status");
    form.append(list, status);
    const state = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id };
    for (const [name, value] of Object.entries(state)) input.setAttribute(name, value);
    let waiting = 0;
    let asked = null;
    let chosen = -1;

    const close = () => {
      list.hidden = true;
      chosen = -1;
      input.setAttribute("aria-expanded", "false");
      input.removeAttribute("aria-activedescendant");
    };

    const choose = (at) => {
      const options = [...list.children];
      // past either end the reader's own words are chosen again
      chosen = at === options.length ? -1 : at === -2 ? options.length - 1 : at;
      options.forEach((option, n) => option.setAttribute("aria-selected", String(n === chosen)));
      if (chosen >= 0) input.setAttribute("aria-activedescendant", options[chosen].id);
      else input.removeAttribute("aria-activedescendant");
    };

    const show = (found) => {
      list.replaceChildren(
        ...found.map((each, n) => {
          const option = document.createElement("li");
          option.id = `${list.id}-${n}`;
          option.dataset.url = each.url;
          option.setAttribute("role", "option");
          option.setAttribute("aria-selected", "false");
          const name = document.createElement("span");
          name.textContent = each.name;
          const kind = document.createElement("small");
          kind.textContent = each.also ? `${each.also} · ${each.kind}` : each.kind;
          option.append(name, kind);
          return option;
        }),
      );
      close();
      list.hidden = found.length === 0;
      input.setAttribute("aria-expanded", String(found.length > 0));
      status.textContent = fill(form.dataset.sayCount, { n: found.length });
    };

    const ask = async () => {
      asked?.abort();
      const text = input.value.trim();
      if (!text || text.length > 100) return show([]);
      asked = new AbortController();
      try {
        const address = `${form.dataset.suggestions}?q=${encodeURIComponent(text)}`;
        const response = await fetch(address, { signal: asked.signal, credentials: "omit" });
        if (response.ok) show((await response.json()).suggestions);
      } catch {
        // Offline, or overtaken by the next letter: the box works without.
      }
    };

    const later = (event) => {
      clearTimeout(waiting);
      if (!event.isComposing) waiting = setTimeout(ask, 120);
    };
    input.addEventListener("input", later);
    input.addEventListener("compositionend", later);
    input.addEventListener("keydown", (event) => {
      if (event.isComposing || list.hidden) return;
      if (event.key === "ArrowDown") choose(chosen + 1);
      else if (event.key === "ArrowUp") choose(chosen === -1 ? -2 : chosen - 1);
      else if (event.key === "Escape") close();
      else if (event.key === "Enter" && chosen >= 0) location.assign(list.children[chosen].dataset.url);
      else return;
      event.preventDefault();
    });
    list.addEventListener("pointerdown", (event) => event.preventDefault());
    list.addEventListener("click", (event) => {
      const option = event.target.closest("li");
      if (option) location.assign(option.dataset.url);
    });
    input.addEventListener("blur", close);
  }

  // ---- 与我有关: health data, so it lives in the page and nowhere else ----

  for (const filter of all("[data-population-filter]")) {
    const boxes = all("input", filter);
    const status = filter.querySelector("[role=status]");
    const blocks = all("[data-population]");
    filter.addEventListener("change", () => {
      const mine = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
      let shown = 0;
      for (const block of blocks) {
        const isMine = mine.has(block.dataset.population);
        block.classList.toggle("is-mine", isMine);
        block.hidden = mine.size > 0 && !isMine;
        if (isMine) shown += 1;
      }
      status.textContent =
        mine.size > 0 ? fill(filter.dataset.sayShown, { n: shown, m: blocks.length - shown }) : filter.dataset.sayAll;
    });
  }

  // ---- hard words: the explanation opens below its paragraph ----

  const glossary = document.querySelector(".glossary");
  let note = null;

  function closeNote(focusTerm) {
    if (!note) return;
    const term = note.term;
    term.setAttribute("aria-expanded", "false");
    note.element.remove();
    note = null;
    if (focusTerm) term.focus();
  }

  function openNote(term, definition) {
    const element = document.createElement("div");
    element.className = "term-note";
    element.tabIndex = -1;
    element.setAttribute("role", "note");
    const name = document.createElement("b");
    name.textContent = definition.previousElementSibling.textContent + "：";
    const close = document.createElement("button");
    close.type = "button";
    close.textContent = glossary.dataset.sayClose;
    close.addEventListener("click", () => closeNote(true));
    element.append(name, definition.textContent.trim(), close);
    const block = term.closest("p, li, dd, td, h3") || term.parentElement;
    if (block.matches("p")) block.after(element);
    else block.append(element);
    term.setAttribute("aria-expanded", "true");
    note = { term, element };
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest" });
  }

  if (glossary) {
    for (const term of all("a.term")) {
      const definition = document.getElementById(term.hash.slice(1))?.nextElementSibling;
      if (!definition) continue;
      term.setAttribute("role", "button");
      term.setAttribute("aria-expanded", "false");
      const toggle = (event) => {
        event.preventDefault();
        const again = note?.term === term;
        closeNote(again);
        if (!again) openNote(term, definition);
      };
      term.addEventListener("click", toggle);
      term.addEventListener("keydown", (event) => {
        if (event.key === " ") toggle(event);
      });
    }
    addEventListener("keydown", (event) => {
      if (event.key === "Escape") closeNote(true);
    });
  }

  // ---- contents: where the reader is ----

  const links = new Map(all(".contents a").map((link) => [link.hash.slice(1), link]));
  if (links.size && "IntersectionObserver" in window) {
    let here = null;
    const observer = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) {
          const link = links.get(entry.target.id);
          // back above a section, as after a jump to the top, the reader is not in it any more
          const left = link === here && entry.boundingClientRect.top > 0;
          if (!link || (!entry.isIntersecting && !left)) continue;
          here?.removeAttribute("aria-current");
          here = entry.isIntersecting ? link : null;
          here?.setAttribute("aria-current", "location");
        }
      },
      { rootMargin: "-15% 0px -75% 0px" },
    );
    for (const section of all("[data-section]")) observer.observe(section);
  }

  // ---- the body: figure and list answer each other ----

  for (const map of all("[data-body-map]")) {
    const near = (part) => {
      for (const link of all("[data-part]", map)) link.classList.toggle("is-near", link.dataset.part === part);
    };
    for (const type of ["pointerover", "focusin"]) {
      map.addEventListener(type, (event) => near(event.target.closest?.("[data-part]")?.dataset.part));
    }
    for (const type of ["pointerleave", "focusout"]) map.addEventListener(type, () => near(undefined));
  }

  // ---- tools ----

  const tool = (name) => document.querySelector(`[data-tool="${name}"]`);
  const say = (text) => {
    const status = document.querySelector(".toolbar__status");
    if (status) status.textContent = text;
  };

  for (const button of all('[data-tool="print"]')) button.addEventListener("click", () => print());

  tool("share")?.addEventListener("click", async (event) => {
    const button = event.currentTarget;
    const url = document.querySelector("link[rel=canonical]")?.href || location.href;
    try {
      if (navigator.share) {
        await navigator.share({ title: document.title, url });
      } else {
        await navigator.clipboard.writeText(url);
        say(button.dataset.sayDone);
      }
    } catch (error) {
      if (error.name !== "AbortError") say(button.dataset.sayFailed);
    }
  });

  // ---- read aloud ----

  const listen = tool("listen");
  const stop = tool("stop");
  if (listen && stop && "speechSynthesis" in window) {
    const synthesis = window.speechSynthesis;
    let voice = null;
    let queue = [];
    let run = 0;

    const chooseVoice = () => {
      const voices = synthesis.getVoices().filter((item) => /^(zh|cmn)/i.test(item.lang));
      voice = voices.find((item) => item.localService) || voices[0] || null;
      if (voice) listen.hidden = false;
    };
    chooseVoice();
    synthesis.addEventListener?.("voiceschanged", chooseVoice);

    const textOf = (element) => {
      const copy = element.cloneNode(true);
      for (const skipped of all(".cite, .term-note, [data-read-skip], ul, ol", copy)) skipped.remove();
      return copy.textContent.replace(/\s+/g, " ").trim();
    };

    // Some engines fall silent in long utterances, so a paragraph is spoken sentence by sentence.
    const sentences = (text) => text.match(/[^。！？；]+[。！？；]?/g) || [];

    const collect = () =>
      all("[data-read]")
        .flatMap((part) => all("h1, h2, h3, p, li, dt, dd, figcaption, legend", part))
        .filter((element) => !element.closest("[data-read-skip], [hidden], nav, .breadcrumb, .population-filter, .term-note"))
        .filter((element) => element.getClientRects().length > 0)
        .flatMap((element) => sentences(textOf(element)).map((text) => ({ element, text })));

    const show = (state) => {
      listen.dataset.state = state;
      listen.textContent = { idle: listen.dataset.sayPlay, playing: listen.dataset.sayPause, paused: listen.dataset.sayResume }[state];
      stop.hidden = state === "idle";
    };

    const mark = (element) => {
      for (const marked of all(".reading")) if (marked !== element) marked.classList.remove("reading");
      if (!element || element.classList.contains("reading")) return;
      element.classList.add("reading");
      element.scrollIntoView({ block: "nearest" });
    };

    const finish = () => {
      run += 1;
      queue = [];
      synthesis.cancel();
      mark(null);
      show("idle");
    };

    const next = (current) => {
      if (current !== run) return;
      const item = queue[0];
      if (!item) return finish();
      const utterance = new SpeechSynthesisUtterance(item.text);
      utterance.lang = voice.lang;
      utterance.voice = voice;
      utterance.rate = root.dataset.care ? 0.85 : 1;
      utterance.addEventListener("start", () => mark(item.element));
      utterance.addEventListener("end", () => {
        if (current !== run) return;
        queue.shift();
        next(current);
      });
      utterance.addEventListener("error", () => {
        if (current === run) finish();
      });
      synthesis.speak(utterance);
    };

    // Pausing remembers the sentence instead of calling pause(), which Android ignores.
    listen.addEventListener("click", () => {
      if (listen.dataset.state === "playing") {
        run += 1;
        synthesis.cancel();
        show("paused");
        return;
      }
      if (listen.dataset.state !== "paused") queue = collect();
      run += 1;
      synthesis.cancel();
      show("playing");
      next(run);
    });
    stop.addEventListener("click", () => {
      finish();
      listen.focus();
    });
    addEventListener("pagehide", finish);
  }

  // ---- one view, counted once ----

  function uuid7() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    let milliseconds = Date.now();
    for (let place = 5; place >= 0; place -= 1) {
      bytes[place] = milliseconds % 256;
      milliseconds = Math.floor(milliseconds / 256);
    }
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  }

  const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

  async function report() {
    const body = JSON.stringify({ page: location.pathname, event: uuid7() });
    // The same event id each time: the server counts it once however often it arrives.
    for (let attempt = 0; attempt < 4; attempt += 1) {
      try {
        const answer = await fetch("/beacon/views", {
          method: "POST",
          headers: { "Content-Type": "application/json" },
          body,
          keepalive: true,
          credentials: "omit",
        });
        if (answer.status < 500) break;
      } catch {
        // The network failed; the next round tries again.
      }
      await wait(1000 * 2 ** attempt);
    }
    try {
      const answer = await fetch("/beacon/views?page=" + encodeURIComponent(location.pathname), { credentials: "omit" });
      if (!answer.ok) return;
      const { count } = await answer.json();
      if (!(count > 0)) return; // not yet written down: the reader is here
      for (const place of all("[data-views]")) {
        place.textContent = fill(place.dataset.sayLabel, { n: count.toLocaleString("zh-CN") });
        place.hidden = false;
      }
    } catch {
      // The number is a courtesy; without it the page says nothing.
    }
  }

  if (document.body.dataset.beacon === "1") {
    let timer = 0;
    let sent = false;
    // Only a second in front of the reader counts: prerendered and hidden tabs do not.
    const watch = () => {
      clearTimeout(timer);
      if (sent || document.prerendering || document.visibilityState !== "visible") return;
      timer = setTimeout(() => {
        sent = true;
        report();
      }, 1000);
    };
    document.addEventListener("visibilitychange", watch);
    document.addEventListener("prerenderingchange", watch);
    watch();
  }
})();

"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const matches = [...document.querySelectorAll("details.match")];

  // ---- filter and sort -------------------------------------------------------------------------

  const order = {
    score: (a, b) => b.dataset.score - a.dataset.score,
    copied: (a, b) => b.dataset.copied - a.dataset.copied,
    query: (a, b) => a.dataset.query.localeCompare(b.dataset.query, undefined, { numeric: true }),
    reference: (a, b) =>
      a.dataset.reference.localeCompare(b.dataset.reference, undefined, { numeric: true }),
  };

  function filter() {
    const words = $("filter-text").value.toLowerCase().split(/\s+/).filter(Boolean);
    const least = $("filter-score").value / 100;
    const stream = $("filter-stream").value;
    let shown = 0;
    for (const match of matches) {
      const fits =
        words.every((word) => match.dataset.search.includes(word)) &&
        Number(match.dataset.score) >= least &&
        (!stream || match.dataset.streams.split(" ").includes(stream));
      match.hidden = !fits;
      shown += fits;
      if (!fits && running && running.card === match) stop();
    }
    $("filter-score-value").textContent = `${$("filter-score").value} %`;
    $("count").textContent =
      shown === matches.length ? `${shown} matches` : `${shown} of ${matches.length}`;
    $("none-left").hidden = shown > 0;
  }

  function sort() {
    const sorted = matches.slice().sort(order[$("sort").value]);
    $("matches").append(...sorted);
  }

  // ---- players ---------------------------------------------------------------------------------

  const side = (card, name) => card.querySelector(`.player[data-side="${name}"]`);
  const media = (card, name) => {
    const found = side(card, name)?.querySelector("video, audio");
    return found && !found.dataset.failed ? found : null;
  };

  function showStill(card, figure, name) {
    const still = card.querySelector(`.thumb-row[data-side="${name}"] img`);
    if (!still) return;
    const image = document.createElement("img");
    image.src = still.src;
    image.alt = still.alt;
    figure.querySelector(".stage").replaceChildren(image);
  }

  function cannotPlay(card, figure, element) {
    element.dataset.failed = "1";
    element.remove();
    figure.classList.add("unplayable");
    figure.querySelector(".note").textContent = "This browser cannot play this file.";
    showStill(card, figure, figure.dataset.side);
    if (!media(card, "query") && !media(card, "reference")) {
      card.classList.add("unplayable");
      for (const button of card.querySelectorAll("button.play, button.block")) {
        button.disabled = true;
      }
    }
  }

  function prepare(card) {
    if (card.dataset.prepared) return;
    card.dataset.prepared = "1";
    for (const figure of card.querySelectorAll(".player")) {
      const name = figure.dataset.side;
      if (!figure.dataset.src) {
        showStill(card, figure, name);
        continue;
      }
      const tag = { picture: "img", sound: "audio" }[figure.dataset.kind] || "video";
      const element = document.createElement(tag);
      element.addEventListener("error", () => cannotPlay(card, figure, element));
      if (tag === "img") {
        element.alt = figure.querySelector("bdi").title;
      } else {
        element.controls = true;
        element.preload = "metadata";
        element.muted = name === "reference";
        element.setAttribute("aria-label", `${name}: ${figure.querySelector("bdi").title}`);
        element.addEventListener("timeupdate", () => moveHead(card, name, element));
        element.addEventListener("pause", () => pausedByHand(element));
      }
      if (tag === "video") {
        element.playsInline = true;
        const still = card.querySelector(`.thumb-row[data-side="${name}"] img`);
        if (still) element.poster = still.src;
      }
      element.src = figure.dataset.src;
      figure.querySelector(".stage").replaceChildren(element);
    }
  }

  function moveHead(card, name, element) {
    const bar = card.querySelector(`.lane.${name} .bar`);
    const share = Math.min(1, element.currentTime / Number(bar.dataset.length));
    bar.style.setProperty("--at", `${100 * share}%`);
    bar.classList.add("played");
  }

  function hear(card, name) {
    for (const which of ["query", "reference"]) {
      const element = media(card, which);
      if (element) element.muted = which !== name;
    }
    for (const button of card.querySelectorAll("[data-listen]")) {
      button.setAttribute("aria-pressed", String(button.dataset.listen === name));
    }
  }

  // ---- two players in step ---------------------------------------------------------------------

  const TICK_MS = 40;
  const HOLD_BEYOND_S = 0.12; // the one ahead by more waits for the other, a little is caught up
  const LET_GO_S = 0.02;
  const SEEK_BEYOND_S = 1.5; // only a jump by hand is answered by a jump: seeking is slow
  const STEP_S = 0.12; // how often a reversed reference is moved
  const RATES = [0.0625, 16]; // what browsers play
  let running = null;

  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  function once(element, names, milliseconds) {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        for (const name of names) element.removeEventListener(name, done);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      for (const name of names) element.addEventListener(name, done);
    });
  }

  async function ready(element) {
    if (!element || element.readyState >= 1) return;
    element.preload = "auto";
    if (element.networkState !== 2) element.load();
    await once(element, ["loadedmetadata", "error"], 10000);
  }

  async function seek(element, seconds) {
    if (!element) return;
    const done = once(element, ["seeked", "error"], 5000);
    element.currentTime = seconds;
    await done;
  }

  async function start(element) {
    if (!element) return;
    try {
      await element.play();
    } catch (error) {
      if (error.name !== "NotAllowedError") return;
      element.muted = true;
      await element.play().catch(() => {});
    }
  }

  function pausedByHand(element) {
    // A pause that is neither ours nor the end of the file ends playing in step.
    if (!running?.playing || !element.paused || element.ended || running.held === element) return;
    if (element === running.leader || (element === running.reference && !running.stepping)) stop();
  }

  function say(card, text) {
    const status = card.querySelector(".status");
    if (status) status.textContent = text;
  }

  function stop() {
    if (!running) return;
    const { card, item, timer, query, reference } = running;
    running = null;
    clearInterval(timer);
    for (const element of [query, reference]) {
      if (!element) continue;
      element.pause();
      element.playbackRate = 1;
    }
    item.classList.remove("playing");
    card.querySelector(".stop").hidden = true;
    card.dataset.state = "stopped";
    say(card, "");
  }

  function follow(run) {
    // Keep the reference where the query says it should be.
    const { query, reference, q0, r0, r1, speed, stepping } = run;
    const from = speed > 0 ? r0 : r1;
    const want = clamp(from + (query.currentTime - q0) * speed, r0, r1);
    const drift = reference.currentTime - want;
    if (stepping) {
      if (!reference.seeking && Math.abs(drift) >= STEP_S * Math.min(1, Math.abs(speed))) {
        reference.currentTime = want;
      }
      return;
    }
    const ahead = drift / speed; // of the reference, in query seconds
    if (reference.ended) {
      hold(run, null);
    } else if (reference.seeking) {
      hold(run, query);
    } else if (Math.abs(ahead) > SEEK_BEYOND_S) {
      hold(run, query);
      reference.currentTime = want;
    } else if (ahead < -HOLD_BEYOND_S) {
      hold(run, query);
    } else if (ahead > HOLD_BEYOND_S) {
      hold(run, reference);
    } else if (run.held === query ? ahead > -LET_GO_S : ahead < LET_GO_S) {
      hold(run, null);
    }
    reference.playbackRate = clamp(speed * (1 - clamp(ahead, -0.15, 0.15)), ...RATES);
  }

  function hold(run, element) {
    // Let one of the two wait; null lets both go.
    if (run.held === element) return;
    const before = run.held;
    run.held = element;
    element?.pause();
    before?.play().catch(() => {});
  }

  function tick(run) {
    if (running !== run) return;
    const { query, reference, leader } = run;
    const end = leader === query ? run.q1 : run.r1;
    if (leader.ended || leader.currentTime >= end) {
      stop();
      run.card.dataset.state = "finished";
      return;
    }
    if (leader.seeking) return;
    if (query && reference) follow(run);
    if (query) moveHead(run.card, "query", query);
    if (reference) moveHead(run.card, "reference", reference);
  }

  async function playInStep(card, index) {
    stop();
    prepare(card);
    const item = card.querySelectorAll(".segment")[index];
    const [q0, q1, r0, r1, speed] = ["q0", "q1", "r0", "r1", "speed"].map((k) =>
      Number(item.dataset[k]),
    );
    const run = { card, item, q0, q1, r0, r1, speed, held: null, playing: false };
    running = run;
    run.stepping = speed < RATES[0] || speed > RATES[1];
    item.classList.add("playing");
    card.querySelector(".stop").hidden = false;
    card.dataset.state = "loading";
    say(card, "Loading …");
    run.query = media(card, "query");
    run.reference = media(card, "reference");
    await Promise.all([ready(run.query), ready(run.reference)]);
    if (running !== run) return;
    run.query = media(card, "query"); // a file that cannot be played is gone by now
    run.reference = media(card, "reference");
    run.leader = run.query || run.reference;
    if (!run.leader) {
      stop();
      say(card, "Neither file can be played here.");
      return;
    }
    const refFrom = speed > 0 || !run.query ? r0 : r1;
    await Promise.all([seek(run.query, q0), seek(run.reference, refFrom)]);
    if (running !== run) return;
    const alone = !(run.query && run.reference);
    if (run.reference && !run.stepping) run.reference.playbackRate = alone ? 1 : clamp(speed, ...RATES);
    await Promise.all([
      start(run.query),
      run.stepping && !alone ? null : start(run.reference),
    ]);
    if (running !== run) return;
    run.playing = true;
    card.dataset.state = "playing";
    say(card, alone ? "Only one of the two can be played here." : `Segment ${index + 1}, in step`);
    run.timer = setInterval(() => tick(run), TICK_MS);
  }

  // ---- events ----------------------------------------------------------------------------------

  document.addEventListener(
    "toggle",
    (event) => {
      const card = event.target;
      if (!card.matches?.("details.match")) return;
      if (card.open) prepare(card);
      else if (running && running.card === card) stop();
    },
    true,
  );

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const card = button?.closest("details.match");
    if (!card) return;
    if (button.dataset.listen) hear(card, button.dataset.listen);
    else if (button.classList.contains("stop")) stop();
    else if (button.dataset.segment) playInStep(card, Number(button.dataset.segment));
  });

  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") stop();
  });

  for (const card of matches) if (card.open) prepare(card);
  if ($("toolbar")) {
    $("toolbar").addEventListener("input", filter);
    $("toolbar").addEventListener("submit", (event) => event.preventDefault());
    $("sort").addEventListener("change", sort);
    sort();
    filter();
  }
})();

// The tip in the browser: how long it was seen, what was answered, and the copy of it that is on screen before the
// socket is up. What React draws is watched, never changed; what this draws lies in places that React leaves alone.
(() => {
  "use strict";
  const SEEN_MS = 1_000;
  const LONGEST_MS = 86_400_000;
  const ACKNOWLEDGED_MS = 1_500;
  const AGAIN_MS = 15_000;
  const UNDO_MS = 5_000;
  const OPEN_MS = 24 * 3_600_000;
  const STALE_MS = 5 * 60_000;
  const KEPT = "oo.tip";
  const SKEW = "oo.skew";
  const root = document.documentElement;
  const find = (selector) => document.querySelector(selector);
  const isVisible = () => document.visibilityState === "visible";

  // --- what this browser keeps; a browser that keeps nothing is served as well
  const read = (name) => {
    try {
      return JSON.parse(localStorage.getItem(name));
    } catch {
      return null;
    }
  };
  const write = (name, value) => {
    try {
      if (value === null) localStorage.removeItem(name);
      else localStorage.setItem(name, JSON.stringify(value));
    } catch {
      // full or forbidden: the page works without
    }
  };

  // --- whose browser this is; the server says so with the session, the page repeats it
  const isSecure = location.protocol === "https:";
  const PERSON = `${isSecure ? "__Host-" : ""}oo_person=`;
  const person = () => {
    const cookie = document.cookie.split("; ").find((each) => each.startsWith(PERSON));
    return cookie?.slice(PERSON.length) ?? "";
  };
  const canKeep = () => Boolean(person() && globalThis.indexedDB && crypto.randomUUID);
  const meet = (told) => {
    if (!told || told === person()) return;
    document.cookie = `${PERSON}${told}; Path=/; Max-Age=7776000; SameSite=Lax${isSecure ? "; Secure" : ""}`;
  };

  // --- dwell: the time the present tip has been visible, in milliseconds
  let impression = null;
  let seen = 0;
  let since = null;
  let witnessing = null;
  let isWitnessed = false;

  const sofar = () => seen + (since === null ? 0 : performance.now() - since);
  const dwell = () => (impression === null ? null : Math.min(LONGEST_MS, Math.round(sofar())));
  const pause = () => {
    seen = sofar();
    since = null;
    clearTimeout(witnessing);
  };
  const resume = () => {
    if (since !== null || impression === null || !isVisible()) return;
    since = performance.now();
    witness();
  };
  // A tip that was drawn before the socket was up is witnessed once there is somebody to tell.
  const witness = () => {
    clearTimeout(witnessing);
    const button = find("[data-witness]");
    if (isWitnessed || !button || since === null) return;
    isWitnessed = sofar() >= SEEN_MS;
    if (isWitnessed) button.click();
    else witnessing = setTimeout(witness, SEEN_MS - sofar());
  };

  const start = (next) => {
    pause();
    impression = next;
    seen = 0;
    isWitnessed = false;
    resume();
    document.dispatchEvent(new Event("oo:tip"));
  };

  // --- the copy: what the card says, written down while it is open
  const keep = (heading) => {
    const card = heading.closest(".card");
    const former = read(KEPT);
    const meta = [...card.querySelectorAll(".meta > *")].map((part) => [part.textContent, part.getAttribute("href")]);
    const isSame = former?.impression === heading.dataset.impression;
    write(KEPT, {
      person: person(),
      impression: heading.dataset.impression,
      kind: heading.dataset.kind,
      name: card.querySelector(".kind .sr")?.textContent ?? "",
      look: heading.className,
      content: heading.textContent,
      detail: card.querySelector(".detail")?.textContent ?? "",
      meta,
      until: isSame ? former.until : Date.now() + OPEN_MS,
    });
  };

  const element = (tag, text, attributes) => {
    const made = document.createElement(tag);
    made.textContent = text;
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };

  const drawn = (tip) => {
    const kind = element("p", "", { class: "kind" });
    kind.append(
      element("span", "", { class: "glyph", "data-kind": tip.kind, "aria-hidden": "true" }),
      element("span", tip.name, { class: "sr" }),
    );
    const attributes = { class: tip.look, "data-testid": "tip", "data-kind": tip.kind, "data-impression": tip.impression };
    const meta = element("p", "", { class: "meta" });
    meta.append(
      ...tip.meta.map(([text, href]) =>
        href?.startsWith("http")
          ? element("a", text, { href, target: "_blank", rel: "noopener noreferrer" })
          : element("span", text, {}),
      ),
    );
    const detail = tip.detail ? [element("p", tip.detail, { class: "detail" })] : [];
    return [kind, element("h1", tip.content, attributes), ...detail, meta];
  };

  const answers = () =>
    [
      ["Dismiss", "dismiss", "x"],
      ["Snooze", "snooze", "s"],
      ["Done", "done", "d"],
    ].map(([name, action, key]) =>
      element("button", name, {
        type: "button",
        class: `answer ${action}`,
        "data-key": key,
        "data-action": action,
        "aria-keyshortcuts": key,
      }),
    );

  const places = () => [find("[data-kept=card]"), find("[data-kept=answers]")];
  let kept = null;
  let before = [];
  const show = (tip) => {
    const [card, row] = places();
    if (!card || !row) return;
    kept = tip;
    before = [...card.childNodes];
    card.replaceChildren(...drawn(tip));
    row.replaceChildren(...answers());
    row.setAttribute("role", "group");
    row.setAttribute("aria-label", "Answer");
  };
  const hide = () => {
    const [card, row] = places();
    if (kept) card?.replaceChildren(...before);
    row?.replaceChildren();
    kept = null;
  };

  // --- what React drew last
  let copied = null;
  let told = "";
  const look = () => {
    const stage = find("[data-person]");
    if (stage && stage.dataset.now !== told) {
      told = stage.dataset.now;
      meet(stage.dataset.person);
      if (told > 0) write(SKEW, told - Date.now()); // how far this clock is from the server's
    }
    const heading = find("h1[data-impression]");
    const next = heading?.dataset.impression ?? null;
    if (next !== impression) start(next);
    if (heading && heading !== copied && !heading.closest("[data-kept]")) {
      copied = heading;
      if (kept?.impression === next) heading.closest(".card").classList.add("settled");
      kept = null;
      keep(heading);
      witness();
      if (root.classList.contains("unsent")) deliver(); // there is a line again
    }
    if (find(".silence")) {
      kept = null;
      write(KEPT, null);
    }
    for (const id of stage?.dataset.answered?.split(" ") ?? []) if (id) acknowledge(id);
  };

  // --- answers: written down, then sent by the socket where it is up, else over HTTP
  const waiting = new Map();
  let answered = null; // the copy of the tip that was answered last
  const acknowledge = (id) => {
    if (!waiting.delete(id)) return;
    ooQueue.drop(id).catch(() => {});
    if (waiting.size === 0) calm();
  };
  const note = (action, on, snooze, reaction) => {
    const id = crypto.randomUUID();
    const answer = {
      impression_id: on,
      action,
      dwell_ms: action === "undo" ? null : dwell(),
      snooze,
      reaction_id: action === "undo" ? reaction || null : id,
      reacted_at: new Date(Date.now() + (read(SKEW) ?? 0)).toISOString(),
    };
    waiting.set(id, answer);
    if (action !== "undo") {
      answered = read(KEPT);
      write(KEPT, null);
    }
    const written = ooQueue.put({ id, person: person(), at: Date.now(), answer });
    return { id, answer, written };
  };

  // Called at the moment of a click, with what the handler on the server is to be told.
  const say = (action, snooze = null) => {
    const back = action === "undo" ? find(".undo[data-undoes]") : null;
    const on = back ? back.dataset.undoes : impression;
    if (!canKeep() || !on) return { dwell_ms: dwell() };
    const { id, answer } = note(action, on, snooze, back?.dataset.reaction);
    setTimeout(() => waiting.has(id) && deliver(), ACKNOWLEDGED_MS);
    return { id, dwell_ms: answer.dwell_ms, reaction_id: answer.reaction_id, reacted_at: answer.reacted_at };
  };

  let isLeft = false;
  const deliver = async () => {
    if (!canKeep()) return;
    if (navigator.onLine === false) return worry();
    const { sent, isEmpty } = await ooQueue.flush(person());
    isLeft = !isEmpty;
    if (isEmpty) {
      waiting.clear();
      calm();
      if (sent) find("[data-again]")?.click();
      return;
    }
    worry();
    const worker = await navigator.serviceWorker?.getRegistration();
    await worker?.sync?.register("answers").catch(() => {}); // where there is such a thing, also after the page is gone
  };

  // --- an answer that has not arrived: said so, with a way back
  let leaving = null;
  const worry = async () => {
    const place = find("#unsent");
    const last = [...waiting.values()].at(-1);
    const isOpen = last ? last.action === "undo" : find("h1[data-impression]") || !(await ooQueue.all()).length;
    if (!place || isOpen || root.classList.contains("unsent")) return;
    root.classList.add("unsent");
    place.hidden = false;
    const pulse = find("[data-kept=card] .pulse"); // nothing is being chosen while nothing is heard
    pulse?.parentNode.replaceChildren(element("h1", "Noted.", { class: "tip-text noted" }));
    const back = place.querySelector("button");
    back.hidden = !last;
    if (last) back.dataset.of = JSON.stringify([last.impression_id, last.reaction_id]);
    clearTimeout(leaving);
    leaving = setTimeout(() => (back.hidden = true), UNDO_MS);
  };
  const calm = () => {
    root.classList.remove("unsent");
    const place = find("#unsent");
    if (place) place.hidden = true;
  };

  document.addEventListener("click", async ({ target }) => {
    const back = target.closest?.("#unsent button");
    if (back) {
      const [on, reaction] = JSON.parse(back.dataset.of);
      await note("undo", on, null, reaction).written;
      calm();
      if (answered?.impression === on) {
        write(KEPT, answered);
        show(answered);
      }
      await deliver();
      return;
    }
    const action = target.closest?.("[data-kept] [data-action]")?.dataset.action;
    if (!action || !kept) return;
    const { written } = note(action, kept.impression, null, null);
    hide();
    await written;
    await deliver();
  });

  // The socket finds out by itself, but only after a while.
  addEventListener("online", () => deliver().then(() => find(".offline .line") && location.reload()));
  let hiddenSince = null;
  document.addEventListener("visibilitychange", () => {
    if (!isVisible()) {
      pause();
      hiddenSince = performance.now();
      return;
    }
    resume();
    deliver();
    if (hiddenSince !== null && performance.now() - hiddenSince > STALE_MS) find("[data-again]")?.click();
  });
  setInterval(() => isLeft && deliver(), AGAIN_MS);

  const forget = () => {
    write(KEPT, null);
    document.cookie = `${PERSON}; Path=/; Max-Age=0; SameSite=Lax${isSecure ? "; Secure" : ""}`;
  };

  globalThis.oo = { dwell, say, person, forget };
  const tip = read(KEPT);
  const isOpen = tip && canKeep() && tip.person === person() && Date.now() < tip.until;
  if (isOpen) show(tip);
  else write(KEPT, null); // also what somebody else left here
  const attributeFilter = ["data-impression", "data-answered", "data-person", "data-now"];
  new MutationObserver(look).observe(root, { subtree: true, childList: true, attributes: true, attributeFilter });
  look();
  deliver();
})();

// What the browser must do itself: measure how long a tip was seen, keys, swipes, sheets and dialogs.
// It presses the buttons of the page and decides nothing. No framework, no storage but one cookie.
(() => {
  "use strict";
  const SEEN_MS = 1_000;
  const LONGEST_MS = 86_400_000;
  const NOTICE_MS = 6_000;
  const SWIPE_PX = 72;
  const root = document.documentElement;
  const find = (selector) => document.querySelector(selector);
  const isVisible = () => document.visibilityState === "visible";

  // --- dwell: the time the present tip has been visible, in milliseconds
  let impression = null;
  let seen = 0;
  let since = null;

  let witnessing = null;

  const pause = () => {
    if (since !== null) seen += performance.now() - since;
    since = null;
    clearTimeout(witnessing);
  };
  const resume = () => {
    if (since !== null || impression === null || !isVisible()) return;
    since = performance.now();
    if (seen < SEEN_MS) witnessing = setTimeout(() => find("[data-witness]")?.click(), SEEN_MS - seen);
  };
  const dwell = () => {
    if (impression === null) return null;
    const running = since === null ? 0 : performance.now() - since;
    return Math.min(LONGEST_MS, Math.round(seen + running));
  };
  document.addEventListener("visibilitychange", () => (isVisible() ? resume() : pause()));

  const start = (next) => {
    pause();
    impression = next;
    seen = 0;
    resume();
    settle(false);
    measure();
    document.querySelectorAll("[popover]:popover-open").forEach((sheet) => sheet.hidePopover());
  };

  // --- what React draws is watched, never changed
  const look = () => {
    const next = find("h1[data-impression]")?.dataset.impression ?? null;
    if (next !== impression) start(next);
    const leave = find("[data-leave]")?.dataset.leave;
    if (leave?.startsWith("/") && !leave.startsWith("//")) location.replace(leave);
    keepFocus();
    fade();
  };

  // --- a button that goes when it was pressed leaves the focus to what stands beside it
  let held = null;
  let beside = null;
  document.addEventListener("focusin", ({ target }) => {
    held = target;
    beside = target.closest?.("li, .asides");
  });
  const keepFocus = () => {
    if (!held || held.isConnected || document.activeElement !== document.body) return;
    held = null;
    beside?.querySelector("a[href], button")?.focus({ preventScroll: true });
  };

  let fading = null;
  let said = "";
  const fade = () => {
    const notice = find(".notice");
    if (!notice || notice.value === said) return;
    said = notice.value;
    clearTimeout(fading);
    if (said) fading = setTimeout(() => (notice.value = ""), NOTICE_MS);
  };

  // --- keys
  const isTyping = (target) => target.closest?.("input, textarea, select, [contenteditable]");
  const isShown = (button) => button.checkVisibility?.({ visibilityProperty: true }) ?? true;

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.repeat || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTyping(event.target) || find("dialog[open]")) return;
    if (event.key === " " && event.target.matches?.("a[role=button]")) {
      event.preventDefault();
      event.target.click();
      return;
    }
    if (!/^[a-z]$/i.test(event.key)) return;
    const button = find(`[data-key="${event.key.toLowerCase()}"]`);
    if (button && isShown(button)) button.click();
  });

  // The second click of a double click would answer a tip nobody has read.
  window.addEventListener(
    "click",
    (event) => {
      if (event.detail < 2 || !event.target.closest?.("[data-action]")) return;
      event.stopPropagation();
      event.preventDefault();
    },
    true,
  );

  // --- swipes: the card follows the finger, and letting go presses the button
  let swipe = null;
  let giveUp = null;

  const settle = (isSlow) => {
    clearTimeout(giveUp);
    const card = swipe?.card;
    swipe = null;
    if (!card) return;
    card.classList.toggle("settling", isSlow);
    card.classList.remove("swiping");
    card.style.translate = "";
    card.style.opacity = "";
  };
  const measure = () => root.classList.toggle("tall", root.scrollHeight > root.clientHeight);
  addEventListener("resize", measure);
  const direction = (x, y) => {
    if (Math.abs(x) > Math.abs(y)) return x > 0 ? "done" : "dismiss";
    return y > 0 ? "snooze" : null;
  };

  document.addEventListener("pointerdown", (event) => {
    const card = event.pointerType === "touch" && event.isPrimary && event.target.closest?.(".card");
    if (!card || swipe || !find("[data-action]") || find("dialog[open]")) return;
    swipe = { card, id: event.pointerId, x: event.clientX, y: event.clientY, isDown: root.scrollTop <= 0 };
  });
  document.addEventListener("pointermove", (event) => {
    if (!swipe || swipe.isDone || event.pointerId !== swipe.id) return;
    const x = event.clientX - swipe.x;
    const y = swipe.isDown ? Math.max(0, event.clientY - swipe.y) : 0;
    const isAcross = Math.abs(x) > Math.abs(y);
    const along = isAcross ? x : y;
    swipe.card.classList.add("swiping");
    swipe.card.style.translate = isAcross ? `${x}px 0` : `0 ${y}px`;
    swipe.card.style.opacity = String(Math.max(0.25, 1 - Math.abs(along) / 360));
  });
  document.addEventListener("pointerup", (event) => {
    if (!swipe || swipe.isDone || event.pointerId !== swipe.id) return;
    const x = event.clientX - swipe.x;
    const y = swipe.isDown ? event.clientY - swipe.y : 0;
    const action = Math.max(Math.abs(x), y) >= SWIPE_PX ? direction(x, y) : null;
    const button = action && find(`[data-action="${action}"]`);
    if (!button) return settle(true);
    swipe.isDone = true;
    giveUp = setTimeout(() => settle(true), 1_500); // the answer did not arrive: the card comes back
    button.click();
  });
  document.addEventListener("pointercancel", () => settle(true));

  // --- sheets and dialogs
  document.addEventListener(
    "toggle",
    (event) => {
      const opener = event.target.id && find(`[popovertarget="${CSS.escape(event.target.id)}"]`);
      opener?.setAttribute("aria-expanded", String(event.newState === "open"));
    },
    true,
  );
  document.addEventListener("click", (event) => {
    const opens = event.target.closest?.("[data-opens]")?.dataset.opens;
    const closes = event.target.closest?.("[data-closes]")?.dataset.closes;
    if (opens) document.getElementById(opens)?.showModal();
    if (closes) document.getElementById(closes)?.close();
  });

  // --- the browser's own time zone, so that today means the person's today. Asking takes a phone 150 ms where there
  // is no Temporal, so it waits until nobody does; at the latest the person has it when they come back from signing in.
  const ZONE_MS = 4_000;
  let isZoneTold = false;
  const tellZone = () => {
    if (isZoneTold) return;
    isZoneTold = true;
    const zone = globalThis.Temporal?.Now.timeZoneId() ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
    const secure = location.protocol === "https:" ? "; Secure" : "";
    if (zone) document.cookie = `oo_zone=${encodeURIComponent(zone)}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  };
  if (globalThis.Temporal) tellZone();
  setTimeout(tellZone, ZONE_MS);
  addEventListener("pagehide", tellZone);

  globalThis.oo = { dwell };
  const watched = ["data-impression", "data-leave"];
  new MutationObserver(look).observe(root, { subtree: true, childList: true, attributes: true, attributeFilter: watched });
  look();
})();

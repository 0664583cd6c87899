// What the browser must do itself: keys, swipes, sheets, dialogs, leaving, and the service worker.
// It presses the buttons of the page and decides nothing. No framework.
(() => {
  "use strict";
  const NOTICE_MS = 6_000;
  const SWIPE_PX = 72;
  const root = document.documentElement;
  const find = (selector) => document.querySelector(selector);
  // --- what React draws is watched, never changed
  const look = () => {
    const leave = find("[data-leave]")?.dataset.leave;
    if (leave?.startsWith("/") && !leave.startsWith("//")) forget().finally(() => location.replace(leave));
    keepFocus();
    fade();
  };

  // --- a button that goes when it was pressed leaves the focus to its successor, to what stands beside it, or to the
  // next thing to do; never to nothing, where a keyboard would begin anew at the top
  let held = null;
  let beside = null;
  let page = null;
  document.addEventListener("focusin", ({ target }) => {
    held = target;
    beside = target.closest?.("li, .asides");
    page = target.closest?.("main");
  });
  // Another page came within this document: the focus goes to its heading, or to its whole where that is read out anyway.
  const arrive = () => {
    const top = find("main h1:not([aria-live] *)") ?? find("main");
    top?.setAttribute("tabindex", "-1");
    top?.focus({ preventScroll: true });
  };
  const keepFocus = () => {
    if (!held || held.isConnected || document.activeElement !== document.body) return;
    const again = held.dataset.action && find(`[data-action="${held.dataset.action}"]`);
    const near = beside?.isConnected && beside.querySelector("a[href], button");
    const next = again || near || find(".answers button, .card .button") || find(".asides a");
    held = null;
    if (page && !page.isConnected) return arrive();
    next?.focus({ preventScroll: true });
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
    if (event.repeat && event.target.closest?.("[data-action]")) event.preventDefault(); // held down, it would go on
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
  document.addEventListener("oo:tip", () => {
    settle(false);
    measure();
    document.querySelectorAll("[popover]:popover-open").forEach((sheet) => sheet.hidePopover());
  });

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
    const [prefix, secure] = location.protocol === "https:" ? ["__Host-", "; Secure"] : ["", ""];
    const cookie = `${prefix}oo_zone=${encodeURIComponent(zone)}`;
    if (zone) document.cookie = `${cookie}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  };
  if (globalThis.Temporal) tellZone();
  setTimeout(tellZone, ZONE_MS);
  addEventListener("pagehide", tellZone);

  // --- leaving: what waits is sent, then this browser forgets; the server asks it to as well (Clear-Site-Data)
  const FAREWELL_MS = 2_000;
  const forget = async () => {
    oo.forget();
    const forgetShell = async () => {
      await Promise.all((await worker.getRegistrations()).map((each) => each.unregister()));
      await Promise.all((await caches.keys()).map((name) => caches.delete(name)));
    };
    await Promise.allSettled([ooQueue.clear(), worker && forgetShell()]);
  };
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (form.getAttribute("action") !== "/auth/signout") return;
    event.preventDefault();
    const late = new Promise((resolve) => setTimeout(resolve, FAREWELL_MS));
    await Promise.race([ooQueue.flush(oo.person()).catch(() => {}), late]);
    await forget();
    form.submit();
  });

  // --- the service worker, once nobody waits; a page that has been replaced is loaded anew where that disturbs nobody
  const NEW_MS = 4_000;
  const RELOADED = "oo.reloaded";
  const reload = () => {
    if (Date.now() - Number(sessionStorage.getItem(RELOADED)) < 60_000) return;
    sessionStorage.setItem(RELOADED, Date.now());
    location.reload();
  };
  const worker = isSecureContext ? navigator.serviceWorker : undefined;
  worker?.addEventListener("message", ({ data }) => {
    if (data === "signed-out") location.replace("/");
    if (data !== "renewed") return;
    if (performance.now() < NEW_MS) reload();
    else document.addEventListener("visibilitychange", reload, { once: true });
  });
  const register = () => oo.person() && worker?.register("/sw.js").catch(() => {});
  addEventListener("load", () => setTimeout(register, NEW_MS / 4));

  const attributeFilter = ["data-impression", "data-leave"];
  new MutationObserver(look).observe(root, { subtree: true, childList: true, attributes: true, attributeFilter });
  look();
})();

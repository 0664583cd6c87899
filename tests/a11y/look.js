// Looks at the page as it stands: run in it beside axe. Each finding is a text; none is what the tests ask for.
(() => {
  "use strict";
  const TOUCH_PX = 44;
  const CONTROLS = "a[href], button, input, select, [tabindex]";
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const named = (element) =>
    `${element.localName} "${(element.ariaLabel ?? element.labels?.[0]?.innerText ?? element.innerText).trim()}"`;

  const isLarge = () => parseFloat(getComputedStyle(document.documentElement).fontSize) > 16;

  // What can be reached: what a dialog holds, or a sheet and the answers it rests on while they stand in one row.
  const reachable = () => {
    const dialog = document.querySelector("dialog[open]");
    if (dialog) return all(CONTROLS, dialog).filter(isShown);
    const sheet = document.querySelector("[popover]:popover-open");
    const answers = isLarge() ? [] : all(".answers button");
    if (sheet) return [...all(CONTROLS, sheet), ...answers].filter(isShown);
    return all(CONTROLS).filter(isShown);
  };

  const skeleton = () => {
    const one = (selector, what) => (all(selector).filter(isShown).length === 1 ? [] : [`not exactly one ${what}`]);
    const has = (value, what) => (value?.trim() ? [] : [`no ${what}`]);
    return [
      ...one("main", "main"),
      ...one("h1", "h1"),
      ...has(document.title, "title"),
      ...has(document.documentElement.lang, "language"),
      ...has(document.querySelector("meta[name=description]")?.content, "description"),
    ];
  };

  const width = () => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth > clientWidth ? [`scrolls sideways: ${scrollWidth} in ${clientWidth}`] : [];
  };

  // Within the box that a thumb needs, and not under anything else.
  // What somebody types is as long as they like; a field scrolls.
  const isCut = (control) =>
    !control.matches("input") && control.clientWidth && control.scrollWidth > control.clientWidth + 1;
  const target = (control) => {
    control.scrollIntoView({ block: "center", behavior: "instant" });
    const box = control.getBoundingClientRect();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const hits = (dx, dy) => {
      const hit = document.elementFromPoint(x + dx, y + dy);
      return hit === control || control.contains(hit);
    };
    const reach = TOUCH_PX / 2 - 1;
    const isWide = box.width >= TOUCH_PX || (hits(-reach, 0) && hits(reach, 0));
    const isHigh = box.height >= TOUCH_PX || (hits(0, -reach) && hits(0, reach));
    return [
      ...(isWide && isHigh ? [] : [`small: ${named(control)} ${box.width.toFixed(1)} × ${box.height.toFixed(1)}`]),
      ...(hits(0, 0) ? [] : [`covered: ${named(control)}`]),
      ...(isCut(control) ? [`cut off: ${named(control)}`] : []),
      ...(box.left < 0 || box.right > innerWidth ? [`off the screen: ${named(control)}`] : []),
    ];
  };

  const targets = () => {
    const top = scrollY;
    const found = reachable().flatMap(target);
    scrollTo({ top, behavior: "instant" });
    return found;
  };

  // The way back is taken away by an animation that changes only whether it is there.
  const motion = () =>
    document
      .getAnimations()
      .filter((each) => each.playState === "running" && each.animationName !== "leave")
      .map((each) => `moves: ${each.animationName ?? each.transitionProperty}`);

  const contained = (frame) => {
    const within = frame.getBoundingClientRect();
    return within.top < 0 || within.bottom > innerHeight ? [`reaches beyond the screen: ${frame.id}`] : [];
  };
  const sheets = () => all("[popover]:popover-open, dialog[open]").flatMap(contained);

  globalThis.ooLook = { shape: () => [...skeleton(), ...width(), ...targets(), ...sheets()], motion };
})();

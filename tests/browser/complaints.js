// What a screen reader or a keyboard would stumble over on the page as it is now: a list of sentences.
() => {
  const shown = (one) => one.checkVisibility({ visibilityProperty: true }) &&
    !one.closest("[aria-hidden=true], [hidden]");
  const named = (one) => {
    const by = one.getAttribute("aria-labelledby");
    const label = one.labels && [...one.labels].map((label) => label.textContent).join("");
    return (one.getAttribute("aria-label") || (by && document.getElementById(by)?.textContent) || label || one.title || one.placeholder || one.textContent || one.alt || "").trim();
  };
  const told = [];
  const say = (what, one) => told.push(`${what}: ${one.outerHTML.slice(0, 140)}`);
  const all = (query) => [...document.querySelectorAll(query)].filter(shown);
  for (const one of all("button, a[href], input, select, textarea, [role=button], [role=link], [role=tab]")) if (!named(one)) say("no name", one);
  for (const one of all("img")) if (!one.hasAttribute("alt")) say("no alt", one);
  for (const one of all("dialog, nav, section, aside")) if (one.matches("dialog, nav") && !named(one)) say("no name", one);
  for (const one of all("[tabindex]")) if (Number(one.getAttribute("tabindex")) > 0) say("tabindex above 0 breaks the order", one);
  for (const one of all("[role]")) if (!/^(alert|status|group|img|dialog|button|link|tab|tablist|tabpanel|list|listitem|menu|menuitem|navigation|main|region|progressbar|radiogroup|radio|switch|checkbox|log|timer|presentation|none|table|row|cell|grid|slider|tooltip|search|form|note|figure|heading|article|meter|option|listbox|combobox|application|columnheader|rowgroup|separator|document)$/.test(one.getAttribute("role"))) say("unknown role", one);
  for (const one of all("button, a")) if (one.querySelector("button, a[href], input, select")) say("a control within a control", one);
  for (const name of ["aria-labelledby", "aria-controls", "aria-describedby"]) for (const one of all(`[${name}]`)) for (const id of one.getAttribute(name).split(" ")) if (id && !document.getElementById(id)) say(`${name} leads nowhere`, one);
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  for (const id of new Set(ids.filter((id, n) => id && ids.indexOf(id) !== n))) told.push(`id twice: ${id}`);
  if (!document.documentElement.lang) told.push("the page has no language");
  if (!document.title) told.push("the page has no title");
  const mains = all("main:not([role=none])").length;
  if (mains !== 1) told.push(`${mains} <main>`);
  return told;
}

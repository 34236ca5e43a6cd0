"use strict";
// Language and theme are cookies: the server speaks the one when it writes the page, the other is put on before anything is drawn.
(() => {
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => (document.cookie.match(/(?:^|; )koubai-theme=(\w+)/) || [])[1];
  const remember = (name, value) => { document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax`; };
  const put = () => {
    const theme = chosen() || (system.matches ? "dark" : "light");
    root.dataset.theme = theme;
    if (window.Quasar) window.Quasar.Dark.set(theme === "dark");
    for (const one of document.querySelectorAll("[data-switch-theme]")) one.setAttribute("aria-pressed", theme === "dark");
  };
  put();
  system.addEventListener("change", put);
  addEventListener("load", put);
  // A finger on a chart scrolls the page. Plotly would zoom, so it never hears of it; on a map it drags the point.
  addEventListener("touchstart", (event) => {
    if (event.target.closest(".js-plotly-plot") && !event.target.closest(".map")) event.stopPropagation();
  }, { capture: true, passive: true });
  // A control that is put anew while it has the focus, as the fields of a layer are, keeps it: whoever uses the keyboard goes on from there.
  let focused = null;
  const named = (one) => one.getAttribute("aria-label") || (one.closest("label")?.firstElementChild ?? one).textContent;
  const alike = (one) => [...document.querySelectorAll(one.tagName)].filter((other) => named(other) === named(one));
  addEventListener("focusin", ({ target }) => { focused = { target, place: alike(target).indexOf(target) }; });
  new MutationObserver(() => {
    if (!focused || focused.target.isConnected) return;
    const { target, place } = focused;
    focused = null;
    if (document.activeElement === document.body) alike(target)[place]?.focus({ preventScroll: true });
  }).observe(root, { childList: true, subtree: true });
  window.koubai = {
    speak(language) { remember("koubai-language", language); location.reload(); },
    theme() { remember("koubai-theme", root.dataset.theme === "dark" ? "light" : "dark"); put(); },
  };
})();

// Takes the first picture away once the page draws it itself, or has something else to say.
(() => {
  const DRAWN = ".attnviz-story[data-scene], .attnviz-ready, [data-testid=stAlert], [data-testid=stException], [data-testid=stDialog]";
  const LONGEST = 30000; // milliseconds, after which something must have gone wrong
  const frame = document.getElementById("attnviz-first-frame");
  const chosen = localStorage.getItem(`stActiveTheme-${location.pathname}-v2`) ?? ""; // Streamlit keeps one for each page
  const dark = /dark/i.test(chosen) || (!/light/i.test(chosen) && matchMedia("(prefers-color-scheme: dark)").matches);
  frame.classList.add(dark ? "attnviz-first-dark" : "attnviz-first-light");
  const end = () => {
    watch.disconnect();
    clearTimeout(timer);
    frame.remove();
  };
  const watch = new MutationObserver(() => {
    if (document.querySelector(DRAWN)) requestAnimationFrame(end);
  });
  watch.observe(document.body, { childList: true, subtree: true, attributes: true, attributeFilter: ["data-scene"] });
  const timer = setTimeout(end, LONGEST);
})();

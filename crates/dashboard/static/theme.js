// Applies the reader's theme before anything is drawn. It is small, because the page waits for it.
(() => {
  const root = document.documentElement;
  root.classList.add("scripted-page");
  try {
    const theme = localStorage.getItem("theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // A browser that keeps nothing follows the system.
  }
})();

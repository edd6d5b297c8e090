// Runs before the first paint, so that a stored mode never flashes. It must stay tiny: it blocks.
(function () {
  var root = document.documentElement;
  root.classList.add("js");
  try {
    if (localStorage.getItem("yidian.care") === "on") root.dataset.care = "on";
    var theme = localStorage.getItem("yidian.theme");
    if (theme === "light" || theme === "dark") root.dataset.theme = theme;
  } catch {
    // Storage may be refused; the page is then simply as it came.
  }
})();

// Before the first paint: the theme that the reader chose, or the one of the address. Kept apart because it must not wait.
(function () {
  var theme = new URLSearchParams(location.search).get('theme');
  try {
    theme = theme || localStorage.getItem('theme');
  } catch (e) {
    // Storage is off: the system's theme it is.
  }
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
})();

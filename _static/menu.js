/* The menu and the contents on a narrow screen.

   Every page has each of their buttons twice: in the site's header, which this book does not show, and above
   the article. The theme listens to the first ones only (pydata-sphinx-theme, issue 2451), so a click on the
   visible button is passed on to its hidden twin. While a sidebar lies over the page as a dialog, it has a
   button of its own that closes it. */

function connect(kind, label, wide) {
  const visible = document.querySelector(`.bd-header-article .${kind}-toggle`);
  const twin = document.querySelector(`#pst-header .${kind}-toggle`);
  const dialog = document.getElementById(`pst-${kind}-sidebar-modal`);
  const sidebar = document.getElementById(`pst-${kind}-sidebar`);
  if (!(visible && twin && dialog && sidebar)) return; // a page without headings has no contents

  const close = document.createElement("button");
  close.type = "button";
  close.className = "btn book-close";
  close.setAttribute("aria-label", "Close");
  close.textContent = "×";
  close.addEventListener("click", () => dialog.close());

  const tell = () => {
    const beside = wide.matches && !sidebar.classList.contains("pst-sidebar-hidden");
    visible.setAttribute("aria-expanded", dialog.open || beside);
  };
  visible.setAttribute("aria-label", label);
  visible.setAttribute("aria-controls", dialog.id);
  dialog.setAttribute("aria-label", label);
  tell();
  wide.addEventListener("change", tell);

  visible.addEventListener("click", () => {
    visible.focus({ preventScroll: true }); // where the theme returns to; Safari leaves a tapped button without focus
    twin.click();
    if (dialog.open) {
      dialog.prepend(close);
      close.focus();
    }
    tell();
  });
  dialog.addEventListener("close", () => {
    close.remove(); // the theme moves all that the dialog holds back into the sidebar
    tell();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target.closest("a[href^='#']")) dialog.close(); // what the link leads to lies under the dialog
  });
}

document.addEventListener("DOMContentLoaded", () => {
  // From these widths on the theme shows the sidebars beside the text.
  connect("primary", "Site navigation", window.matchMedia("(min-width: 992px)"));
  connect("secondary", "On this page", window.matchMedia("(min-width: 1200px)"));
});

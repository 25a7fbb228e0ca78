/* TeX to markup, once, while the book is built:

     node formulas.js FOLDER_OF_MATHJAX < formulas.json > markup.json

   In:  {"macros": {...}, "formulas": [{"tex": "x", "display": false}, ...]}
   Out: {"style": the style sheet for exactly these formulas, "markup": [the HTML of each]}

   The HTML holds a formula twice: drawn, and as MathML, which a screen reader reads. */

const fs = require("fs");
const path = require("path");

const folder = path.resolve(process.argv[2]);
const { macros, formulas } = JSON.parse(fs.readFileSync(0, "utf8"));

async function main() {
  const MathJax = await require(path.join(folder, "node-main.js")).init({
    loader: {
      paths: { mathjax: folder },
      load: ["input/tex", "output/chtml", "adaptors/liteDOM", "a11y/assistive-mml"],
      versionWarnings: false,
    },
    // A formula that TeX does not understand stops the build instead of turning red on the page.
    tex: {
      macros,
      packages: { "[-]": ["noundefined", "noerrors"] },
      formatError: (_, error) => { throw error; },
    },
    chtml: { fontURL: "mathjax", matchFontHeight: false },
    startup: { typeset: false },
  });
  const { adaptor } = MathJax.startup;
  const markup = formulas.map(({ tex, display }) => {
    try {
      return adaptor.outerHTML(MathJax.tex2chtml(tex, { display }));
    } catch (error) {
      throw new Error(`${error.message} in the formula ${tex}`);
    }
  });
  const style = adaptor.textContent(MathJax.chtmlStylesheet());
  process.stdout.write(JSON.stringify({ style, markup }));
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});

// There from the first moment and knowing nothing yet, as the real page's: its presence proves nothing.
"use strict";
(() => {
  const modules = new Map();
  window.require = (name) => {
    if (!modules.has(name)) throw new Error(`Requiring unknown module "${name}"`);
    return modules.get(name);
  };
  // Handed to natives.js, which takes it away again. No value takes the module away.
  window.__define = (name, value) => (value === undefined ? modules.delete(name) : modules.set(name, value));
})();

/**
 * The one script of the pages: it filters the list while somebody types, and copies code. Without it the list is searched by the
 * service, and everything else works as it is. It comes with the page, and the policy of the page knows its digest.
 */
export const SCRIPT = `
(() => {
  const form = document.querySelector('form[role="search"]');
  if (form !== null) {
    form.hidden = false;
    const input = form.querySelector('input');
    const told = document.querySelector('[role="status"]');
    const rows = [...document.querySelectorAll('[data-find]')];
    const groups = [...document.querySelectorAll('[data-group]')];
    const show = () => {
      const words = input.value.toLowerCase().split(/\\s+/).filter((word) => word !== '');
      let found = 0;
      for (const row of rows) {
        row.hidden = !words.every((word) => row.dataset.find.includes(word));
        if (!row.hidden) found += 1;
      }
      for (const group of groups) group.hidden = group.querySelector('[data-find]:not([hidden])') === null;
      told.textContent = words.length === 0 ? '' : found === 1 ? '1 type found' : found + ' types found';
    };
    input.addEventListener('input', show);
    form.addEventListener('submit', (event) => { event.preventDefault(); show(); });
    document.addEventListener('keydown', (event) => {
      if (event.key !== '/' || /^(?:INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) return;
      event.preventDefault();
      input.focus();
    });
    if (input.value !== '') show();
  }
  if (navigator.clipboard === undefined) return;
  for (const code of document.querySelectorAll('pre[data-copy]')) {
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Copy';
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(code.querySelector('code').textContent);
      button.textContent = 'Copied';
      setTimeout(() => { button.textContent = 'Copy'; }, 1500);
    });
    code.before(button);
  }
})();
`;

// Keeps a page fresh: every few seconds it is fetched once more, and what is marked with data-live is put in the place of what is there.
// What one is reading with the keyboard or has marked stays; what is worth a word (data-say) is said once it has changed. It rests
// while nobody looks, and for as long as one wants it to. Without it a page is as old as its last visit.
'use strict';
(() => {
  const every = 5000;
  const button = document.getElementById('live');
  const status = document.getElementById('live-status');
  if (!button || !document.querySelector('[data-live]')) return;
  let paused = false, timer = 0, asking = false;

  const label = () => {
    button.textContent = paused ? 'Resume updates' : 'Pause updates';
    button.setAttribute('aria-pressed', String(paused));
  };

  const busy = (node) => {
    const marked = getSelection();
    return node.contains(document.activeElement) || (!marked.isCollapsed && marked.containsNode(node, true));
  };

  const show = (fresh) => {
    for (const old of document.querySelectorAll('[data-live]')) {
      const now = fresh.getElementById(old.id);
      if (!now || busy(old)) continue;
      for (const open of old.querySelectorAll('details[open][id]')) {
        const same = now.querySelector('#' + CSS.escape(open.id));
        if (same) same.open = true;
      }
      if (now.dataset.say && now.dataset.say !== old.dataset.say) status.textContent = now.dataset.say;
      old.replaceWith(document.adoptNode(now));
    }
  };

  const ask = () => {
    if (asking || paused || document.hidden) return;
    asking = true;
    const call = new XMLHttpRequest();
    call.open('GET', location.href);
    call.responseType = 'document';
    call.timeout = 10000;
    call.setRequestHeader('Postern-Live', '1');
    call.onload = () => {
      document.body.classList.remove('stale');
      if (call.status === 401) location.reload();
      else if (call.status === 200 && call.response) show(call.response);
    };
    call.onerror = call.ontimeout = () => {
      if (document.body.classList.contains('stale')) return;
      document.body.classList.add('stale');
      status.textContent = 'Postern does not answer. What is shown is old.';
    };
    call.onloadend = () => { asking = false; };
    call.send();
  };

  const run = () => {
    clearInterval(timer);
    if (!paused && !document.hidden) timer = setInterval(ask, every);
  };

  button.addEventListener('click', () => { paused = !paused; label(); run(); ask(); });
  document.addEventListener('visibilitychange', () => { run(); ask(); });
  button.hidden = false;
  label();
  run();
})();

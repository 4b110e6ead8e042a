// The page on which one is a person of the platform.
'use strict';

function drawList() {
  const p = person();
  if (!p) return;
  drawMe(p);
  $('my-ids').textContent = [p.username && '@' + p.username, p.phone, p.absent && 'not on the platform any more'].filter(Boolean).join(' · ');
  const shown = p.chats.filter((c) => c.count > 0 || c.granted || c.id === open);
  redraw($('chats'), shown.map(chatRow));
  $('empty').hidden = shown.length > 0;
  $('hint').textContent = state.hint || 'A link or a token.';
  drawStart();
  drawCounts();
  const over = state.counts.violations;
  if (over) $('counts').textContent += ` · ${over} above the limits`;
}

// drawStart offers the accounts that one can write to.
function drawStart() {
  const key = JSON.stringify([me, state.accounts.map((a) => [a.id, a.name, a.username])]);
  const start = $('start');
  if (start.dataset.key === key) return;
  start.dataset.key = key;
  $('start-text').textContent = 'Or write to a ' + state.account_word;
  const first = el('option', '', state.accounts.length ? 'Choose…' : 'There is no ' + state.account_word + ' yet');
  first.value = '';
  start.replaceChildren(first, ...state.accounts.map((a) => {
    const option = el('option', '', [plainName(a.name || a.username || a.id), a.username ? '@' + a.username : a.phone].filter(Boolean).join(' · '));
    option.value = a.id;
    return option;
  }));
}

// enter shows a chat that was opened, with what a link would say in the composer.
async function enter(opened) {
  await select(opened.id);
  if (opened.draft) $('text').value = opened.draft;
  grow();
}

function wire() {
  $('invite').onsubmit = quietly(async (e) => {
    e.preventDefault();
    const link = $('link').value.trim();
    if (!link) return;
    const how = /^[a-z2-7]{26}$/.test(link) ? { token: link } : { url: link };
    const opened = await api('POST', `/people/${me}/open`, { ...how, draft: true });
    $('link').value = '';
    await enter(opened);
  });
  $('start').onchange = quietly(async () => {
    const to = $('start').value;
    $('start').value = '';
    if (to) await enter(await api('POST', `/people/${me}/open`, { to, draft: true }));
  });
}

wireFaults();
wireChat();
wireFiles();
wireCalls();
wireMe();
wire();
follow();

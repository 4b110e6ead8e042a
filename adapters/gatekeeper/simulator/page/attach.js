// What a person of the gatekeeper has beside: presence, and the switches of the gatekeeper.
'use strict';

// featureLabel writes a direction as arrows: out is from the partner's users to people here, in is back.
function featureLabel(feature) {
  return feature.replace(/_out$/, ' ← user').replace(/_in$/, ' → user').replaceAll('_', ' ');
}

function drawSwitches() {
  const fields = $('switches-fields');
  fields.replaceChildren(...state.offer.switchable.map((feature) => {
    const label = el('label', 'feature');
    const box = el('input');
    box.type = 'checkbox';
    box.name = feature;
    box.checked = state.offer.features[feature] === 'native';
    box.onchange = quietly(() => api('PATCH', '/capabilities', { [feature]: box.checked ? 'native' : 'unavailable' }));
    label.append(box, ' ' + featureLabel(feature));
    return label;
  }));
}

function drawSwitched(p) {
  $('presence').checked = !!(p.presence && p.presence.available);
  const off = state.offer.switchable.filter((f) => state.offer.features[f] !== 'native').length;
  $('switches-on').hidden = off === 0;
  $('switches-on').textContent = off;
}

function wireAttachments() {
  wireFiles();
  wireCalls();
  wireMe();
  $('presence').onchange = quietly(() => api('PUT', `/people/${me}/presence`, { available: $('presence').checked }));
  $('switches-open').onclick = () => { drawSwitches(); $('switches').showModal(); };
  $('switches-close').onclick = () => $('switches').close();
}

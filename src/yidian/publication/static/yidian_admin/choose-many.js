// Several of a kind, picked in Wagtail's own chooser window. One listener for the page, so that nothing is inline.
(() => {
  const changed = (box) => box.dispatchEvent(new Event('change', { bubbles: true }));

  const row = (name, item) => {
    const li = document.createElement('li');
    const input = Object.assign(document.createElement('input'), { type: 'hidden', name, value: item.id });
    const link = Object.assign(document.createElement('a'), { href: item.edit_url || '#', target: '_blank' });
    link.textContent = item.string;
    const remove = Object.assign(document.createElement('button'), {
      type: 'button',
      className: 'button button-small button-secondary no',
    });
    remove.textContent = '移除';
    remove.setAttribute('aria-label', `移除 ${item.string}`);
    remove.setAttribute('data-choose-many-remove', '');
    li.append(input, link, remove);
    return li;
  };

  document.addEventListener('click', (event) => {
    const remove = event.target.closest('[data-choose-many-remove]');
    if (remove) {
      const box = remove.closest('[data-choose-many]');
      remove.closest('li').remove();
      box.querySelector('[data-choose-many-add]').focus();
      changed(box);
      return;
    }
    const add = event.target.closest('[data-choose-many-add]');
    if (!add) return;
    const box = add.closest('[data-choose-many]');
    window.ModalWorkflow({
      url: box.dataset.chooseMany,
      urlParams: { multiple: 1 },
      onload: window.CHOOSER_MODAL_ONLOAD_HANDLERS,
      responses: {
        chosen: (items) => {
          const have = new Set([...box.querySelectorAll('input')].map((input) => input.value));
          items
            .filter((item) => !have.has(String(item.id)))
            .forEach((item) => box.querySelector('ul').append(row(box.dataset.name, item)));
          changed(box);
        },
      },
    });
  });
})();

// Adds a button to everything worth copying. The page is complete without it.
const { copy, copied } = document.currentScript.dataset;
const announcement = document.createElement('p');
announcement.className = 'unseen';
announcement.setAttribute('role', 'status');

if (navigator.clipboard) {
  document.querySelector('main').append(announcement);
  for (const code of document.querySelectorAll('.copyable code')) addButton(code);
}

function addButton(code) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'copy secondary small';
  button.textContent = copy;
  const heading = code.closest('section').querySelector('h2, h3');
  button.setAttribute('aria-label', `${copy}: ${heading.textContent}`);
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      // The browser does not let us: ready to be copied by hand.
      getSelection().selectAllChildren(code);
      return;
    }
    button.textContent = copied;
    announcement.textContent = copied;
    setTimeout(() => {
      button.textContent = copy;
      announcement.textContent = '';
    }, 2000);
  });
  code.parentElement.append(button);
}

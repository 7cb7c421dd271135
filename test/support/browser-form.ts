import type { HTMLElement } from 'node-html-parser';
import type { Page, Visit } from './browser.ts';

/** A form as it stands on the page, to be filled in and sent. Every method but `submit` returns the form. */
export interface Form {
  readonly action: string;
  readonly method: 'GET' | 'POST';
  /** What would be sent now, without any button. */
  readonly fields: URLSearchParams;
  /** Types into a text field. @throws when the form has no such field */
  fill(name: string, value: string): Form;
  /** Ticks a checkbox or radio button. @throws when the form has no such box */
  check(name: string, value?: string): Form;
  uncheck(name: string, value?: string): Form;
  /**
   * Presses a button, named by its name and value, e.g. `{ decision: 'approve' }`; without argument the first one.
   * @throws when the form has no such button
   */
  submit(button?: Readonly<Record<string, string>>): Promise<Page>;
}

interface Control {
  readonly name: string;
  value: string;
  readonly kind: 'text' | 'hidden' | 'box';
  /** Ticking one of these unticks the others of its name. */
  readonly radio?: boolean;
  /** False only for an unticked box. */
  sent: boolean;
}

/** @param lead starts a navigation from the page of the form */
export function formOf(
  element: HTMLElement,
  page: URL,
  lead: (to: URL, visit: Visit) => Promise<Page>,
): Form {
  const controls = controlsOf(element);
  const action = element.getAttribute('action') || page.href;
  const method = element.getAttribute('method')?.toUpperCase() === 'POST' ? 'POST' : 'GET';

  const find = (kind: Control['kind'], name: string, value?: string): Control => {
    const matches = (c: Control): boolean =>
      c.kind === kind && c.name === name && (value === undefined || c.value === value);
    const control = controls.find(matches);
    if (control) return control;
    const shown = value === undefined ? name : `${name}=${value}`;
    throw new Error(`the form has no ${kind} field ${shown}:\n${element.toString()}`);
  };
  const entries = (): [string, string][] =>
    controls.filter((c) => c.sent).map((c) => [c.name, c.value]);

  const form: Form = {
    action: new URL(action, page).href,
    method,
    get fields() {
      return new URLSearchParams(entries());
    },
    fill(name, value) {
      find('text', name).value = value;
      return form;
    },
    check(name, value) {
      const box = find('box', name, value);
      if (box.radio) controls.forEach((c) => (c.sent &&= !c.radio || c.name !== name));
      box.sent = true;
      return form;
    },
    uncheck(name, value) {
      find('box', name, value).sent = false;
      return form;
    },
    submit(wanted) {
      const button = buttonOf(element, wanted);
      const name = button?.getAttribute('name');
      const pressed: [string, string][] = name ? [[name, button!.getAttribute('value') ?? '']] : [];
      const target = new URL(button?.getAttribute('formaction') || action, page);
      const data = new URLSearchParams([...entries(), ...pressed]);
      if (method === 'POST') return lead(target, { method, form: data });
      target.search = data.toString();
      return lead(target, {});
    },
  };
  return form;
}

function controlsOf(form: HTMLElement): Control[] {
  return form.querySelectorAll('input, select, textarea').flatMap((element): Control[] => {
    const name = element.getAttribute('name');
    if (!name || element.hasAttribute('disabled')) return [];
    if (element.rawTagName.toLowerCase() === 'textarea')
      return [{ name, value: element.text, kind: 'text', sent: true }];
    if (element.rawTagName.toLowerCase() === 'select') return [selectControl(name, element)];

    const type = element.getAttribute('type')?.toLowerCase() ?? 'text';
    const value = element.getAttribute('value');
    if (type === 'checkbox' || type === 'radio') {
      const sent = element.hasAttribute('checked');
      return [{ name, value: value ?? 'on', kind: 'box', radio: type === 'radio', sent }];
    }
    if (['submit', 'button', 'image', 'reset', 'file'].includes(type)) return [];
    return [{ name, value: value ?? '', kind: type === 'hidden' ? 'hidden' : 'text', sent: true }];
  });
}

function selectControl(name: string, element: HTMLElement): Control {
  const options = element.querySelectorAll('option');
  const chosen = options.find((o) => o.hasAttribute('selected')) ?? options[0];
  const value = chosen?.getAttribute('value') ?? chosen?.text ?? '';
  return { name, value, kind: 'text', sent: chosen !== undefined };
}

function buttonOf(
  form: HTMLElement,
  wanted: Readonly<Record<string, string>> | undefined,
): HTMLElement | undefined {
  const buttons = form
    .querySelectorAll('button, input')
    .filter((e) => !e.hasAttribute('disabled') && isSubmit(e));
  if (!wanted) return buttons[0];
  const [[name, value] = []] = Object.entries(wanted);
  const found = buttons.find(
    (b) => b.getAttribute('name') === name && b.getAttribute('value') === value,
  );
  if (!found) throw new Error(`the form has no button ${name}=${value}:\n${form.toString()}`);
  return found;
}

function isSubmit(element: HTMLElement): boolean {
  const type = element.getAttribute('type')?.toLowerCase();
  return element.rawTagName.toLowerCase() === 'button'
    ? type === undefined || type === 'submit'
    : type === 'submit' || type === 'image';
}

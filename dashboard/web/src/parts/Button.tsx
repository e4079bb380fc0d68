// Buttons and native selects of the tool rows.
import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from '../marks/icons';

interface ButtonProps {
  text?: string;
  icon?: IconName;
  cls?: string;
  label?: string;
  title?: string;
  disabled?: boolean;
  pressed?: boolean;
  onClick?: (event: MouseEvent) => void;
  children?: ComponentChildren;
}

export const Button = ({ text, icon, cls = '', label, title, disabled = false, pressed, onClick, children }: ButtonProps) => (
  <button type="button" class={`btn ${cls}`} aria-label={label} title={title} disabled={disabled} aria-pressed={pressed} onClick={onClick}>
    {icon !== undefined && <Icon name={icon} />}
    {text !== undefined && <span>{text}</span>}
    {children}
  </button>
);

interface PickProps {
  tool?: string;
  label: string;
  options: [value: string, text: string][];
  value: string;
  onChoose: (value: string) => void;
}

/** A native select with its name before it. */
export const Pick = ({ tool, label, options, value, onChoose }: PickProps) => (
  <label class="pick">
    <span class="pick-label">{label}</span>
    <select class="pick-value" data-tool={tool} value={value} onChange={event => onChoose(event.currentTarget.value)}>
      {options.map(([name, text]) => (
        <option value={name} selected={name === value}>
          {text}
        </option>
      ))}
    </select>
    <Icon name="down" />
  </label>
);

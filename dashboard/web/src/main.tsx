// Starts the page: the language first, because nothing can be said without it; then the shell, the data, the stream.
import { render } from 'preact';
import './styles/index.css';
import { App, followState } from './app';
import { preferred, speak } from './i18n';
import { openKeys } from './shell/dialogs';
import { watchAlerts } from './state/alerts';
import { listenToKeys } from './state/keys';
import { keepStream } from './state/live';
import { listen } from './state/router';
import { readSite } from './state/site';

readSite();
void speak(preferred()).then(() => {
  document.body.replaceChildren();
  render(<App />, document.body);
  followState();
  listen();
  listenToKeys(openKeys);
  watchAlerts();
  keepStream();
});

import type { Texts } from './texts.ts';

const over = 'Diese Anmeldung kann nicht mehr abgeschlossen werden';
const again = 'Gehen Sie zurück zu Ihrer App und verbinden Sie sie noch einmal.';
const tellMaker = 'Wenn es immer wieder passiert, melden Sie es dem Hersteller der App.';

export const de: Texts = {
  layout: {
    sandbox:
      'Dieser Server läuft mit einer Testumgebung und erfundenen Daten. Nichts hier ist ein echtes NeonPanel-Konto.',
    languages: 'Sprache',
    help: 'Hilfe',
  },

  consent: {
    title: 'Eine App verbinden',
    heading: 'Mit {target} verbinden?',
    verified: 'Geprüfte Adresse von {app}',
    verifiedMeans:
      'Geprüft heißt: Nach der Liste, die wir führen, gehört diese Adresse zu {app}. Es sagt nichts darüber, was die App mit Ihren Daten macht.',
    saidName: 'Die App nennt sich {name}.',
    describedAt: 'Die App ist unter {host} beschrieben und nennt sich {name}.',
    describedAtOnly: 'Die App ist unter {host} beschrieben.',
    anyName: 'Einen Namen kann jeder wählen: Es zählt die Adresse oben.',
    notThatApp:
      'Die App nennt sich {name}, aber diese Adresse ist keine, die wir von {app} kennen. Fahren Sie nur fort, wenn Sie sie kennen.',
    loopback:
      'Die Antwort geht an ein Programm auf diesem Computer. Fahren Sie nur fort, wenn Sie es gerade selbst gestartet haben.',
    appLink:
      'Die Antwort geht an eine App auf diesem Gerät, die {target}-Links öffnet. Jede App kann das tun: Fahren Sie nur fort, wenn Sie gerade aus dieser App kommen.',
    allows: 'Was sie tun darf',
    read: 'Lesen',
    readAllows:
      'Ihre Firmen, Bestände, Lager, Einstandskosten, COGS, Umsätze und Berichte in NeonPanel.',
    readForbids: 'Sie kann nichts ändern oder löschen und sieht nie Ihr NeonPanel-Passwort.',
    write: 'Auch erlauben, Belege anzulegen,',
    writeAllows:
      'zum Beispiel Rechnungen, in NeonPanel. Vorhandenes kann sie auch dann weder ändern noch löschen.',
    writeHint:
      'Lassen Sie das Feld leer, um nur das Lesen zu erlauben. Wenn die App Sie hierher geschickt hat, weil sie etwas anlegen wollte, kreuzen Sie es an.',
    next: 'Wie es weitergeht',
    nextSignIn: 'Sie melden sich bei NeonPanel an, unter {host}.',
    nextReturn: 'Sie kommen zurück zu {target}, und die App ist verbunden.',
    nextEnd: 'Sie können die Verbindung jederzeit beenden.',
    approve: 'Weiter zu NeonPanel',
    deny: 'Abbrechen',
    expires: 'Diese Anfrage läuft in {minutes} ab, um {time}.',
    problem: 'Es gibt ein Problem',
    problemChoose:
      'Keine der beiden Schaltflächen wurde gedrückt. Bitte wählen Sie eine von ihnen.',
  },

  home: {
    title: 'Verbinden Sie Ihren KI-Assistenten',
    lead: 'Über diesen Server arbeiten ChatGPT, Claude, Cursor, VS Code und andere KI-Apps mit Ihrem NeonPanel-Konto: mit Ihren Firmen, Beständen, Kosten, Umsätzen und Berichten.',
    address: 'Die Adresse zum Verbinden',
    copy: 'Kopieren',
    copied: 'Kopiert',
    noSecret: 'Eine Client-ID oder ein Geheimnis brauchen Sie nicht.',
    how: 'So verbinden Sie',
    chatgpt:
      'Settings → Apps & Connectors → Advanced settings: den Entwicklermodus (Developer mode) einschalten. Dann Create wählen, die Adresse einfügen und OAuth auswählen.',
    claude: 'Settings → Connectors → Add custom connector, dann die Adresse einfügen.',
    claudeCode: 'Führen Sie das aus und geben Sie dann /mcp ein, um sich anzumelden:',
    cursor: 'Schreiben Sie das in ~/.cursor/mcp.json:',
    vscode: 'Führen Sie das aus:',
    others:
      'Jede App, die MCP spricht, kann sich verbinden: Geben Sie ihr die Adresse, mit dem Transport „Streamable HTTP“. Für eine, die sich nicht selbst anmelden kann, führen Sie das aus:',
    othersName: 'Andere Apps',
    then: 'Was dann geschieht',
    thenAsk: 'Ihre App öffnet eine Seite dieses Servers. Sie sagt, wer fragt und was die App darf.',
    thenSignIn: 'Sie melden sich bei NeonPanel an. Keine App sieht je Ihr Passwort.',
    thenUse: 'Ihre App kann lesen. Belege anlegen kann sie nur, wenn Sie es erlaubt haben.',
    status: 'Zustand',
    statusUp: 'Dieser Server arbeitet.',
    statusDown:
      'Ein Teil dieses Servers antwortet gerade nicht. Bitte versuchen Sie es gleich noch einmal.',
    neonpanelUp: 'NeonPanel antwortet.',
    neonpanelDown:
      'NeonPanel selbst antwortet gerade nicht, deshalb bekommen Ihre Apps keine Daten. Verbindungen bleiben bestehen.',
    statusMore: 'Zustand für Programme',
  },

  message: {
    next: 'Was Sie jetzt tun können',
    supportCode: 'Wenn Sie um Hilfe bitten, nennen Sie diesen Code:',
    forMaker: 'Für den Hersteller der App:',
    tryAgain: 'Noch einmal versuchen',
  },

  messages: {
    expired: {
      title: over,
      text: 'Sie hat länger gedauert, als sie darf, oder hat nie begonnen.',
      todo: again,
    },
    used: {
      title: over,
      text: 'Sie wurde schon abgeschlossen oder in einem anderen Tab neu begonnen.',
      todo: `Wenn die App verbunden ist, sind Sie fertig. Wenn nicht: ${again}`,
    },
    declined: {
      title: over,
      text: 'Sie haben sie abgebrochen, und nichts wurde verbunden.',
      todo: `Wenn Sie es sich anders überlegt haben: ${again}`,
    },
    otherBrowser: {
      title: over,
      text: 'Sie wurde in einem anderen Browser begonnen, oder dieser Browser behält keine Cookies.',
      todo: `Bleiben Sie von Anfang bis Ende in einem Browser. ${again}`,
    },
    over: {
      title: over,
      text: 'Sie ist abgelaufen, wurde schon abgeschlossen oder in einem anderen Browser begonnen.',
      todo: again,
    },
    unknownClient: {
      title: 'Diese App ist hier nicht mehr bekannt',
      text: 'Was die App über diesen Server gespeichert hat, ist veraltet.',
      todo: 'Entfernen Sie NeonPanel in Ihrer App und fügen Sie es wieder hinzu; die App meldet sich dann neu an.',
    },
    unknownClientOf: {
      title: '{app} ist hier nicht mehr bekannt',
      text: 'Was {app} über diesen Server gespeichert hat, ist veraltet.',
      todo: 'Entfernen Sie NeonPanel in {app} und fügen Sie es wieder hinzu; die App meldet sich dann neu an.',
    },
    tryLater: {
      title: 'Bitte versuchen Sie es gleich noch einmal',
      text: 'Ein Teil dieses Dienstes antwortet gerade nicht. Es ist nichts verloren.',
      todo: 'Laden Sie diese Seite in einigen Sekunden neu.',
    },
    busy: {
      title: 'Bitte versuchen Sie es gleich noch einmal',
      text: 'Ein Teil dieses Dienstes antwortet gerade nicht.',
      todo: 'Ihre Anfrage bleibt einige Minuten erhalten. Versuchen Sie es gleich noch einmal.',
    },
    tooMany: {
      title: 'Zu viele Anfragen',
      text: 'Es wurde mehr angefragt, als dieser Dienst auf einmal erlaubt.',
      todo: 'Warten Sie eine Minute und laden Sie diese Seite dann neu.',
    },
    serverError: {
      title: 'Bei uns ist etwas schiefgegangen',
      text: 'Es liegt nicht an Ihnen.',
      todo: 'Bitte versuchen Sie es noch einmal. Wenn es immer wieder passiert, nennen Sie uns den Code unten.',
    },
    notFound: {
      title: 'Hier ist nichts',
      text: 'Vielleicht ist die Adresse falsch geschrieben.',
      todo: 'Um eine App zu verbinden, beginnen Sie in der App.',
    },
    forged: {
      title: 'Diese Anfrage kann nicht ausgeführt werden',
      text: 'Diese Seite muss im selben Browser geöffnet und beantwortet werden, und nur von hier aus.',
      todo: again,
    },
    notPossible: {
      title: 'Diese Anfrage kann nicht ausgeführt werden',
      text: 'Die App hat etwas gesendet, das dieser Dienst nicht annimmt.',
      todo: `${again} ${tellMaker}`,
    },
    neonpanelAway: {
      title: 'NeonPanel ist gerade nicht erreichbar',
      text: 'Wir konnten Sie dort nicht anmelden.',
      todo: 'Ihre Anfrage bleibt einige Minuten erhalten. Versuchen Sie es gleich noch einmal.',
    },
    neonpanelRefused: {
      title: 'NeonPanel hat Sie nicht angemeldet',
      text: 'NeonPanel hat diese Anmeldung abgelehnt.',
      todo: 'Sie können es noch einmal versuchen, vielleicht mit einem anderen Konto.',
    },
    notAnAddress: {
      title: 'Diese App ist nicht zu erkennen',
      text: 'Sie sagt, dass ihre Beschreibung unter einer Adresse steht, aber diese Adresse können wir nicht verwenden.',
      todo: 'Melden Sie es dem Hersteller der App.',
    },
    notOpen: {
      title: 'Diese App ist hier nicht erlaubt',
      text: 'Nur Apps, die vorher eingerichtet wurden, dürfen sich verbinden.',
      todo: 'Fragen Sie, wer diesen Dienst betreibt.',
    },
    descriptionInvalid: {
      title: 'Die Beschreibung dieser App ist ungültig',
      text: 'Was {host} über die App sagt, können wir nicht annehmen.',
      todo: 'Melden Sie es dem Hersteller der App, oder versuchen Sie es wieder, wenn er es berichtigt hat.',
    },
    descriptionAway: {
      title: 'Die Beschreibung der App lässt sich gerade nicht laden',
      text: 'Dieser Dienst hat {host} nach der App gefragt und keine brauchbare Antwort bekommen.',
      todo: `Laden Sie diese Seite in einer Minute neu. ${tellMaker}`,
    },
  },
};

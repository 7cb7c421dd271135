import type { Texts } from './texts.ts';

const over = 'Diese Anmeldung kann nicht mehr abgeschlossen werden';
const again = 'Gehen Sie zurück zu Ihrer App und verbinden Sie sie noch einmal.';
const tellMaker = 'Wenn es immer wieder passiert, melden Sie es dem Hersteller der App.';

/** What an app may read, on every page that says so. */
const data =
  'Ihre Firmen, Bestände, Lager, Einstandskosten, Wareneinsatz (COGS), Umsätze und Berichte';

export const de: Texts = {
  layout: {
    sandbox:
      'Dieser Server läuft mit einer Testumgebung und erfundenen Daten. Nichts hier ist ein echtes NeonPanel-Konto.',
    languages: 'Sprache',
    help: 'Hilfe',
  },

  consent: {
    title: 'Eine App verbinden',
    heading: 'Darf {target} Ihre NeonPanel-Daten lesen?',
    verified: 'Geprüfte Adresse von {app}',
    verifiedMeans:
      'Geprüft heißt: Nach der Liste, die wir führen, gehört diese Adresse zu {app}. Das sagt nichts darüber aus, was die App mit Ihren Daten macht.',
    saidName: 'Die App nennt sich {name}.',
    describedAt: 'Die App ist unter {host} beschrieben und nennt sich {name}.',
    describedAtOnly: 'Die App ist unter {host} beschrieben.',
    anyName: 'Einen Namen kann jeder wählen.',
    addressCounts: 'Maßgeblich ist die Adresse oben.',
    /** Stands for {target} where that is an app’s scheme. */
    appTarget: 'eine App auf diesem Gerät ({scheme}-Links)',
    notThatApp:
      'Die App nennt sich {name}, aber diese Adresse ist keine, die wir von {app} kennen. Fahren Sie nur fort, wenn Sie diese Adresse kennen.',
    loopback:
      'Die Antwort geht an ein Programm auf diesem Computer. Fahren Sie nur fort, wenn Sie es gerade selbst gestartet haben.',
    appLink:
      'Die Antwort geht an eine App auf diesem Gerät, die {scheme}-Links öffnet. Jede App kann das tun: Fahren Sie nur fort, wenn Sie gerade aus dieser App kommen.',
    allows: 'Was sie tun darf',
    read: 'Lesen',
    readAllows: `${data} in NeonPanel.`,
    readForbids:
      'Sie kann nichts anlegen, ändern oder löschen und sieht nie Ihr NeonPanel-Passwort.',
    write: 'Auch erlauben, Belege anzulegen,',
    writeAllows:
      'zum Beispiel Rechnungen, in NeonPanel. Vorhandenes kann sie auch dann weder ändern noch löschen.',
    writeHint:
      'Lassen Sie das Kästchen leer, um nur das Lesen zu erlauben. Wenn die App Sie hierher geschickt hat, weil sie etwas anlegen wollte, kreuzen Sie es an.',
    next: 'Wie es weitergeht',
    nextSignIn: 'Sie melden sich bei NeonPanel an, unter {host}.',
    nextReturn: 'Sie werden an {target} zurückgeleitet, und die App ist verbunden.',
    nextEnd: 'Sie können die Verbindung jederzeit beenden, unter {place}.',
    approve: 'Weiter zu NeonPanel',
    deny: 'Abbrechen',
    expires: 'Diese Anfrage läuft in {minutes} ab, um {time}.',
    problem: 'Es gibt ein Problem',
    problemChoose: 'Sie haben keine der beiden Schaltflächen gewählt. Bitte wählen Sie eine davon.',
  },

  account: {
    title: 'Verbundene Apps',
    lead: 'Hier sehen Sie, welche Apps über diesen Server mit Ihrem NeonPanel-Konto arbeiten, und können sie trennen.',
    how: 'Damit dieser Server weiß, wer Sie sind, melden Sie sich bei NeonPanel an, unter {host}. Ihr Passwort sieht er nie.',
    howLong: 'Sie bleiben hier {minutes} Minuten angemeldet, oder bis Sie sich abmelden.',
    signIn: 'Bei NeonPanel anmelden',
    over: 'Sie sind hier abgemeldet: Ihre Sitzung ist abgelaufen, oder Sie haben sich in einem anderen Tab abgemeldet. Melden Sie sich noch einmal an, um fortzufahren.',
    nothingDone:
      'Es wurde nichts getrennt, denn Sie sind hier nicht mehr angemeldet. Melden Sie sich noch einmal an und wiederholen Sie es.',
    tooLate:
      'Diese Seite war zu lange offen, oder dieser Browser speichert keine Cookies. Bitte klicken Sie noch einmal auf die Schaltfläche.',
    user: 'Sie sind als NeonPanel-Nutzer {id} angemeldet.',
    companies: 'Zu Ihren Firmen gehören: {names}',
    signOut: 'Abmelden',
    none: 'Noch keine App verbunden',
    noneText: 'Wenn Sie eine App mit Ihrem NeonPanel-Konto verbinden, steht sie hier.',
    connect: 'So verbinden Sie eine App',
    unknownApp: 'eine App mit unbekannter Adresse',
    appTarget: 'eine App mit {scheme}-Links',
    loopback: 'Ein Programm auf dem Computer, auf dem es verbunden wurde.',
    appLink: 'Eine App auf einem Gerät, die {scheme}-Links öffnet.',
    mayRead: `Sie darf ${data} lesen.`,
    mayWrite:
      'Sie darf auch Belege anlegen, zum Beispiel Rechnungen. Vorhandenes kann sie weder ändern noch löschen.',
    mayNotWrite: 'Sie kann nichts anlegen, ändern oder löschen.',
    first: 'Verbunden',
    last: 'Zuletzt benutzt',
    never: 'Noch nicht benutzt',
    calls: 'Anzahl der Aufrufe',
    disconnect: 'Trennen',
    disconnectWhat: '{target}, verbunden {time}',
    disconnectAll: 'Alle Apps trennen',
    counted: 'Aufrufe erscheinen hier innerhalb einer Minute.',
    some: 'Dies sind die {shown} zuletzt benutzten Verbindungen von {total}.',
    showAll: 'Alle zeigen',
    incomplete:
      'Sie haben mehr Verbindungen, als aufgelistet werden können. „Alle Apps trennen“ beendet sie alle.',
    ended: 'Kürzlich getrennt',
    again: 'Um eine App wieder zu benutzen, verbinden Sie sie von der App aus neu.',
    confirmOne: '{target} trennen?',
    confirmAll: 'Alle Apps trennen?',
    count: 'Verbindungen, die beendet werden: {count}',
    means:
      'Innerhalb einer Sekunde hat sie über diesen Server keinen Zugriff mehr auf Ihre NeonPanel-Daten. Was sie vorher gelesen hat, kann sie gespeichert haben.',
    meansAll:
      'Innerhalb einer Sekunde hat keine von ihnen mehr über diesen Server Zugriff auf Ihre NeonPanel-Daten. Was sie vorher gelesen haben, können sie gespeichert haben.',
    keep: 'Abbrechen',
    why: {
      person: 'Sie haben sie hier getrennt.',
      app: 'Die App hat die Verbindung selbst beendet.',
      operator: 'Die Betreiber dieses Servers haben die Verbindung beendet.',
      neonpanel: 'NeonPanel hat die Verbindung beendet.',
      replayed:
        'Dieser Server hat die Verbindung beendet, weil ein einmaliger Schlüssel der App ein zweites Mal kam.',
      lost: 'Dieser Server hat die Verbindung beendet, weil ihr Zugang zu NeonPanel verloren ging.',
    },
  },

  home: {
    title: 'Verbinden Sie Ihren KI-Assistenten',
    lead: 'Über diesen Server arbeiten ChatGPT, Claude, Cursor, VS Code und andere KI-Apps mit Ihrem NeonPanel-Konto: mit Ihren Firmen, Beständen, Kosten, Umsätzen und Berichten.',
    address: 'Die Adresse zum Verbinden',
    copy: 'Kopieren',
    copied: 'Kopiert',
    noSecret: 'Client-ID und Client-Secret brauchen Sie nicht.',
    how: 'So verbinden Sie',
    chatgpt:
      'Settings → Apps → Advanced settings: den Entwicklermodus (Developer mode) einschalten. Dann Settings → Apps → Create app: die Adresse einfügen und OAuth auswählen.',
    claude: 'Settings → Connectors → Add custom connector, dann die Adresse einfügen.',
    claudeCode: 'Führen Sie diesen Befehl aus und geben Sie dann /mcp ein, um sich anzumelden:',
    cursor: 'Tragen Sie dies in ~/.cursor/mcp.json ein:',
    vscode: 'Führen Sie diesen Befehl aus:',
    others:
      'Jede App, die MCP unterstützt, lässt sich verbinden: Geben Sie ihr die Adresse, mit dem Transport „Streamable HTTP“. Für eine App, die sich nicht selbst anmelden kann, führen Sie diesen Befehl aus:',
    othersName: 'Andere Apps',
    then: 'Was dann geschieht',
    thenAsk: 'Ihre App öffnet eine Seite dieses Servers. Sie sagt, wer fragt und was die App darf.',
    thenSignIn: 'Sie melden sich bei NeonPanel an. Keine App sieht je Ihr Passwort.',
    thenUse: 'Ihre App kann lesen. Belege anlegen kann sie nur, wenn Sie es erlaubt haben.',
    account: 'Ihre verbundenen Apps',
    accountText:
      'Hier sehen Sie, welche Apps über diesen Server mit Ihrem NeonPanel-Konto arbeiten, und können sie trennen:',
    status: 'Betriebszustand',
    statusUp: 'Dieser Server ist in Betrieb.',
    statusDown:
      'Ein Teil dieses Servers antwortet gerade nicht. Bitte versuchen Sie es gleich noch einmal.',
    neonpanelUp: 'NeonPanel antwortet.',
    neonpanelDown:
      'NeonPanel selbst antwortet gerade nicht, deshalb bekommen Ihre Apps keine Daten. Verbindungen bleiben bestehen.',
    statusMore: 'Betriebszustand für Programme',
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
      text: 'Sie hat zu lange gedauert oder wurde nie begonnen.',
      todo: again,
    },
    used: {
      title: over,
      text: 'Sie wurde schon abgeschlossen oder in einem anderen Tab neu begonnen.',
      todo: `Wenn die App verbunden ist, sind Sie fertig. Wenn nicht: ${again}`,
    },
    declined: {
      title: over,
      text: 'Sie haben sie abgebrochen. Es wurde nichts verbunden.',
      todo: `Wenn Sie es sich anders überlegt haben: ${again}`,
    },
    otherBrowser: {
      title: over,
      text: 'Sie wurde in einem anderen Browser begonnen, oder dieser Browser speichert keine Cookies.',
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
      todo: 'Entfernen Sie den NeonPanel-Connector in Ihrer App und fügen Sie ihn wieder hinzu; die App registriert sich dann neu.',
    },
    unknownClientOf: {
      title: '{app} ist hier nicht mehr bekannt',
      text: 'Was {app} über diesen Server gespeichert hat, ist veraltet.',
      todo: 'Entfernen Sie den NeonPanel-Connector in {app} und fügen Sie ihn wieder hinzu; die App registriert sich dann neu.',
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
      text: 'Dieser Dienst hat mehr Anfragen erhalten, als er auf einmal zulässt.',
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
      title: 'Diese Anfrage kann nicht abgeschlossen werden',
      text: 'Diese Seite muss im selben Browser geöffnet und beantwortet werden, und nur von dieser Website aus.',
      todo: again,
    },
    notPossible: {
      title: 'Diese Anfrage kann nicht abgeschlossen werden',
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
    accountForged: {
      title: 'Diese Anfrage kann nicht abgeschlossen werden',
      text: 'Diese Seite muss im selben Browser und in derselben Sitzung geöffnet und beantwortet werden, und nur von dieser Website aus.',
      todo: 'Öffnen Sie die Seite Ihrer verbundenen Apps noch einmal.',
    },
    accountOver: {
      title: 'Diese Anmeldung kann nicht mehr abgeschlossen werden',
      text: 'Sie hat zu lange gedauert, wurde schon abgeschlossen oder in einem anderen Browser begonnen.',
      todo: 'Melden Sie sich noch einmal an und bleiben Sie von Anfang bis Ende in einem Browser.',
    },
    accountDenied: {
      title: 'Sie sind nicht angemeldet',
      text: 'Die Anmeldung bei NeonPanel wurde abgebrochen.',
      todo: 'Sie können es jederzeit noch einmal versuchen.',
    },
    accountAway: {
      title: 'Sie können gerade nicht angemeldet werden',
      text: 'NeonPanel oder ein Teil dieses Dienstes antwortet nicht.',
      todo: 'Versuchen Sie es gleich noch einmal.',
    },
    accountBusy: {
      title: 'Bitte versuchen Sie es gleich noch einmal',
      text: 'Ein Teil dieses Dienstes antwortet gerade nicht, sodass dies vielleicht nicht ausgeführt wurde.',
      todo: 'Öffnen Sie die Seite Ihrer verbundenen Apps, sehen Sie nach, was dort steht, und versuchen Sie es noch einmal.',
    },
    accountPartly: {
      title: 'Es wurde nicht alles ausgeführt',
      text: 'Ein Teil dieses Dienstes antwortet gerade nicht. Einige Ihrer Apps sind vielleicht schon getrennt, andere nicht.',
      todo: 'Öffnen Sie die Seite Ihrer verbundenen Apps, sehen Sie nach, welche noch da sind, und versuchen Sie es noch einmal.',
    },
    accountNotPossible: {
      title: 'Diese Anfrage kann nicht abgeschlossen werden',
      text: 'Ihr Browser hat etwas gesendet, das diese Seite nicht annimmt.',
      todo: 'Öffnen Sie die Seite Ihrer verbundenen Apps noch einmal.',
    },
    notAnAddress: {
      title: 'Diese App lässt sich nicht erkennen',
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

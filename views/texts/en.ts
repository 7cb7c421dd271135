/**
 * Everything our pages say, in English. The other languages have the same shape: one that lacks a text does not compile,
 * and a test compares the placeholders. A value takes the place of its `{placeholder}`; there is no markup in texts.
 */
const over = 'This sign-in can no longer be completed';
const again = 'Go back to your app and connect again.';
const tellMaker = 'If it keeps happening, tell the maker of the app.';

/** What an app may read, on every page that says so. */
const data = 'your companies, inventory, warehouses, landed cost, COGS, revenue and reports';

export const en = {
  /** Around every page. */
  layout: {
    sandbox:
      'This server runs against a sandbox with invented data. Nothing here is a real NeonPanel account.',
    languages: 'Language',
    help: 'Help',
  },

  consent: {
    title: 'Connect an app',
    heading: 'Let {target} read your NeonPanel data?',
    verified: 'Verified address of {app}',
    verifiedMeans:
      'Verified means: according to the list we keep, this address belongs to {app}. It says nothing about what the app does with your data.',
    saidName: 'The app says it is called {name}.',
    describedAt: 'The app is described at {host} and says it is called {name}.',
    describedAtOnly: 'The app is described at {host}.',
    anyName: 'Anyone can choose a name.',
    addressCounts: 'What counts is the address above.',
    /** Stands for {target} where that is an app’s scheme. */
    appTarget: 'an app on this device ({scheme} links)',
    notThatApp:
      'The app calls itself {name}, but this address is not one that we know of {app}. Continue only if you know this address.',
    loopback:
      'The answer goes to a program on this computer. Continue only if you started it yourself just now.',
    appLink:
      'The answer goes to an app on this device that opens {scheme} links. Any app can open them: continue only if you started this from that app just now.',
    allows: 'What it may do',
    read: 'Read',
    readAllows: `${data} in NeonPanel.`,
    readForbids:
      'It can’t create, change or delete anything, and never sees your NeonPanel password.',
    write: 'Also allow it to create documents',
    writeAllows: 'such as bills, in NeonPanel. It still can’t change or delete what is there.',
    writeHint:
      'Leave this empty to allow reading only. If the app sent you here because it wanted to create something, tick it.',
    next: 'What happens next',
    nextSignIn: 'You sign in at NeonPanel, at {host}.',
    nextReturn: 'You are sent back to {target}, and the app is connected.',
    nextEnd: 'You can end the connection at any time, at {place}.',
    approve: 'Continue to NeonPanel',
    deny: 'Cancel',
    expires: 'This request expires in {minutes}, at {time}.',
    problem: 'There is a problem',
    problemChoose: 'Neither of the two buttons was pressed. Please choose one of them.',
  },

  /** The page of connected apps. */
  account: {
    title: 'Connected apps',
    lead: 'See which apps work with your NeonPanel account through this server, and disconnect them.',
    how: 'To know who you are, this server has you sign in at NeonPanel, at {host}. It never sees your password.',
    howLong: 'You stay signed in here for {minutes} minutes, or until you sign out.',
    signIn: 'Sign in at NeonPanel',
    over: 'You are signed out here: your session has expired, or you have signed out in another tab. Sign in again to go on.',
    nothingDone:
      'Nothing was disconnected, because you are no longer signed in here. Sign in again, and repeat it.',
    tooLate:
      'This page was open for too long, or this browser does not keep cookies. Please press the button once more.',
    user: 'You are signed in as NeonPanel user {id}.',
    companies: 'Among your companies: {names}',
    signOut: 'Sign out',
    none: 'No apps connected yet',
    noneText: 'An app that you connect to your NeonPanel account will be listed here.',
    connect: 'How to connect an app',
    /** These two stand for {target}, in sentences and alone. */
    unknownApp: 'an app of unknown address',
    appTarget: 'an app with {scheme} links',
    loopback: 'A program on the computer on which it was connected.',
    appLink: 'An app on a device, which opens {scheme} links.',
    mayRead: `It may read ${data}.`,
    mayWrite:
      'It may also create documents, such as bills. It can’t change or delete what is there.',
    mayNotWrite: 'It can’t create, change or delete anything.',
    first: 'Connected',
    last: 'Last used',
    never: 'Not used yet',
    calls: 'Number of calls',
    disconnect: 'Disconnect',
    disconnectWhat: '{target}, connected {time}',
    disconnectAll: 'Disconnect all apps',
    counted: 'Calls show up here within a minute.',
    some: 'These are the {shown} connections used last, of {total}.',
    showAll: 'Show all',
    incomplete:
      'You have more connections than can be listed. “Disconnect all apps” ends all of them.',
    ended: 'Recently disconnected',
    again: 'To use an app again, connect it anew from that app.',
    confirmOne: 'Disconnect {target}?',
    confirmAll: 'Disconnect all apps?',
    count: 'Connections that will end: {count}',
    means:
      'Within a second it will no longer be able to reach your NeonPanel data through this server. What it has read before, it may have kept.',
    meansAll:
      'Within a second none of them will be able to reach your NeonPanel data through this server. What they have read before, they may have kept.',
    keep: 'Cancel',
    why: {
      person: 'You disconnected it here.',
      app: 'The app itself ended the connection.',
      operator: 'The operators of this server ended the connection.',
      neonpanel: 'NeonPanel ended the connection.',
      replayed:
        'This server ended the connection, because a one-time key of the app came a second time.',
      lost: 'This server ended the connection, because its access to NeonPanel was lost.',
    },
  },

  home: {
    title: 'Connect your AI assistant',
    lead: 'This server lets ChatGPT, Claude, Cursor, VS Code and other AI apps work with your NeonPanel account: your companies, inventory, costs, revenue and reports.',
    address: 'The address to connect',
    copy: 'Copy',
    copied: 'Copied',
    noSecret: 'No client id and no secret are needed.',
    how: 'How to connect',
    chatgpt:
      'Settings → Apps → Advanced settings: turn on Developer mode. Then Settings → Apps → Create app: paste the address, and select OAuth.',
    claude: 'Settings → Connectors → Add custom connector, and paste the address.',
    claudeCode: 'Run this, then type /mcp to sign in:',
    cursor: 'Put this into ~/.cursor/mcp.json:',
    vscode: 'Run this:',
    others:
      'Any app that speaks MCP can connect: give it the address, with the transport “Streamable HTTP”. For one that can’t sign in by itself, run this:',
    othersName: 'Other apps',
    then: 'What happens then',
    thenAsk: 'Your app opens a page of this server. It says who asks and what the app may do.',
    thenSignIn: 'You sign in at NeonPanel. No app ever sees your password.',
    thenUse: 'Your app can read. It can create documents only if you have allowed that.',
    account: 'Your connected apps',
    accountText:
      'See which apps work with your NeonPanel account through this server, and disconnect them:',
    status: 'Status',
    statusUp: 'This server is working.',
    statusDown: 'A part of this server is not answering right now. Please try again in a moment.',
    neonpanelUp: 'NeonPanel is answering.',
    neonpanelDown:
      'NeonPanel itself is not answering right now, so your apps can’t get its data. Connections stay as they are.',
    statusMore: 'Status for programs',
  },

  /** What is on every page that says that something did not work. */
  message: {
    next: 'What to do now',
    supportCode: 'If you ask for help, give this code:',
    forMaker: 'For the maker of the app:',
    tryAgain: 'Try again',
  },

  /** Each says what happened, and what to do now. */
  messages: {
    expired: {
      title: over,
      text: 'It took longer than it may, or it never began.',
      todo: again,
    },
    used: {
      title: over,
      text: 'It was completed already, or begun again in another tab.',
      todo: `If the app is connected, you are done. If not: ${again}`,
    },
    declined: {
      title: over,
      text: 'You have cancelled it, and nothing was connected.',
      todo: `If you have changed your mind: ${again}`,
    },
    otherBrowser: {
      title: over,
      text: 'It was started in another browser, or this browser does not keep cookies.',
      todo: `Stay in one browser from beginning to end. ${again}`,
    },
    over: {
      title: over,
      text: 'It has expired, was completed already, or was started in another browser.',
      todo: again,
    },
    unknownClient: {
      title: 'This app is not known here any more',
      text: 'What the app remembers about this server is out of date.',
      todo: 'Remove the NeonPanel connector in your app and add it again; the app then registers itself anew.',
    },
    unknownClientOf: {
      title: '{app} is not known here any more',
      text: 'What {app} remembers about this server is out of date.',
      todo: 'Remove the NeonPanel connector in {app} and add it again; it then registers itself anew.',
    },
    tryLater: {
      title: 'Please try again in a moment',
      text: 'A part of this service is not answering right now. Nothing is lost.',
      todo: 'Reload this page in a few seconds.',
    },
    busy: {
      title: 'Please try again in a moment',
      text: 'A part of this service is not answering right now.',
      todo: 'Your request is kept for a few minutes. Try again in a moment.',
    },
    tooMany: {
      title: 'Too many requests',
      text: 'More was asked of this service than it allows at a time.',
      todo: 'Wait a minute, then reload this page.',
    },
    serverError: {
      title: 'Something went wrong on our side',
      text: 'It is not your fault.',
      todo: 'Please try again. If it keeps happening, tell us the code below.',
    },
    notFound: {
      title: 'There is nothing here',
      text: 'The address may be mistyped.',
      todo: 'To connect an app, start from that app.',
    },
    forged: {
      title: 'This request can’t be completed',
      text: 'This page must be opened and answered in the same browser, and only from this site.',
      todo: again,
    },
    notPossible: {
      title: 'This request can’t be completed',
      text: 'The app has sent something that this service does not accept.',
      todo: `${again} ${tellMaker}`,
    },
    neonpanelAway: {
      title: 'NeonPanel can’t be reached right now',
      text: 'We could not sign you in there.',
      todo: 'Your request is kept for a few minutes. Try again in a moment.',
    },
    neonpanelRefused: {
      title: 'NeonPanel did not sign you in',
      text: 'NeonPanel has refused this sign-in.',
      todo: 'You can try again, perhaps with another account.',
    },
    accountForged: {
      title: 'This request can’t be completed',
      text: 'This page must be opened and answered in the same browser and session, and only from this site.',
      todo: 'Open the page of your connected apps again.',
    },
    accountOver: {
      title: 'This sign-in can no longer be completed',
      text: 'It took too long, was completed already, or was started in another browser.',
      todo: 'Sign in once more, and stay in one browser from beginning to end.',
    },
    accountDenied: {
      title: 'You are not signed in',
      text: 'The sign-in at NeonPanel was cancelled.',
      todo: 'You can try again at any time.',
    },
    accountAway: {
      title: 'You can’t be signed in right now',
      text: 'NeonPanel, or a part of this service, is not answering.',
      todo: 'Try again in a moment.',
    },
    accountBusy: {
      title: 'Please try again in a moment',
      text: 'A part of this service is not answering right now, so that this may not have been done.',
      todo: 'Open the page of your connected apps, see what it says, and try again.',
    },
    accountPartly: {
      title: 'Not everything was done',
      text: 'A part of this service is not answering right now. Some of your apps may already be disconnected, others not.',
      todo: 'Open the page of your connected apps, see which ones are left, and try again.',
    },
    accountNotPossible: {
      title: 'This request can’t be completed',
      text: 'Your browser has sent something that this page does not accept.',
      todo: 'Open the page of your connected apps again.',
    },
    notAnAddress: {
      title: 'This app can’t be recognised',
      text: 'It says that its description is at an address, but that is not an address we can use.',
      todo: 'Tell the maker of the app.',
    },
    notOpen: {
      title: 'This app is not allowed here',
      text: 'Only apps that were set up beforehand may connect.',
      todo: 'Ask whoever runs this service.',
    },
    descriptionInvalid: {
      title: 'This app’s description is not valid',
      text: 'What {host} says about the app can’t be accepted.',
      todo: 'Tell the maker of the app, or try again when they have corrected it.',
    },
    descriptionAway: {
      title: 'The app’s description can’t be loaded right now',
      text: 'This service asked {host} about the app and got no usable answer.',
      todo: `Reload this page in a minute. ${tellMaker}`,
    },
  },
} as const;

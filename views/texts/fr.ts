import type { Texts } from './texts.ts';

const over = 'Cette connexion ne peut plus aboutir';
const again = 'Retournez dans votre application et connectez-la de nouveau.';
const tellMaker = 'Si cela se répète, prévenez l’éditeur de l’application.';

/** What an app may read, on every page that says so. */
const data =
  'vos sociétés, stocks, entrepôts, coûts rendus (landed cost), coûts des ventes (COGS), chiffres d’affaires et rapports';

export const fr: Texts = {
  layout: {
    sandbox:
      'Ce serveur utilise un environnement de test et des données inventées. Rien ici n’est un vrai compte NeonPanel.',
    languages: 'Langue',
    help: 'Aide',
  },

  consent: {
    title: 'Connecter une application',
    heading: 'Autoriser {target} à lire vos données NeonPanel ?',
    verified: 'Adresse vérifiée de {app}',
    verifiedMeans:
      '« Vérifiée » signifie que, selon la liste que nous tenons à jour, cette adresse appartient à {app}. Cela ne dit rien de ce que l’application fait de vos données.',
    saidName: 'L’application dit s’appeler {name}.',
    describedAt: 'L’application est décrite sur {host} et dit s’appeler {name}.',
    describedAtOnly: 'L’application est décrite sur {host}.',
    anyName: 'N’importe qui peut choisir un nom.',
    addressCounts: 'C’est l’adresse ci-dessus qui compte.',
    /** Stands for {target} where that is an app’s scheme. */
    appTarget: 'une application de cet appareil (liens {scheme})',
    notThatApp:
      'L’application se nomme {name}, mais cette adresse ne fait pas partie de celles que nous connaissons pour {app}. Ne continuez que si vous reconnaissez cette adresse.',
    loopback:
      'La réponse est envoyée à un programme sur cet ordinateur. Ne continuez que si vous venez de le lancer vous-même.',
    appLink:
      'La réponse est envoyée à une application de cet appareil qui ouvre les liens {scheme}. Toute application peut le faire : ne continuez que si vous venez de cette application.',
    allows: 'Ce qu’elle pourra faire',
    read: 'Lire',
    readAllows: `${data} dans NeonPanel.`,
    readForbids:
      'Elle ne peut rien créer, modifier ni supprimer, et ne voit jamais votre mot de passe NeonPanel.',
    write: 'Lui permettre aussi de créer des documents,',
    writeAllows:
      'par exemple des factures, dans NeonPanel. Elle ne peut toujours ni modifier ni supprimer ce qui existe.',
    writeHint:
      'Laissez cette case vide pour ne permettre que la lecture. Si l’application vous a envoyé ici parce qu’elle voulait créer quelque chose, cochez-la.',
    next: 'La suite',
    nextSignIn: 'Vous vous connectez à NeonPanel, sur {host}.',
    nextReturn: 'Vous revenez à {target}, et l’application est connectée.',
    nextEnd: 'Vous pouvez mettre fin à cet accès à tout moment, à l’adresse {place}.',
    approve: 'Continuer vers NeonPanel',
    deny: 'Annuler',
    expires: 'Cette demande expire dans {minutes}, à {time}.',
    problem: 'Il y a un problème',
    problemChoose: 'Aucun des deux boutons n’a été utilisé. Veuillez choisir l’un d’eux.',
  },

  account: {
    title: 'Applications connectées',
    lead: 'Consultez les applications qui utilisent votre compte NeonPanel par l’intermédiaire de ce serveur, et déconnectez-les si besoin.',
    how: 'Pour savoir qui vous êtes, ce serveur vous demande de vous identifier auprès de NeonPanel, sur {host}. Il ne voit jamais votre mot de passe.',
    howLong:
      'Votre session reste ouverte ici {minutes} minutes, ou jusqu’à ce que vous la fermiez.',
    signIn: 'Se connecter à NeonPanel',
    over: 'Votre session est terminée : elle a expiré, ou vous l’avez fermée dans un autre onglet. Connectez-vous à nouveau pour continuer.',
    nothingDone:
      'Rien n’a été déconnecté, car votre session ici est terminée. Connectez-vous à nouveau et recommencez.',
    tooLate:
      'Cette page est restée ouverte trop longtemps, ou ce navigateur ne conserve pas les cookies. Appuyez encore une fois sur le bouton.',
    user: 'Vous utilisez le compte NeonPanel de l’utilisateur {id}.',
    companies: 'Parmi vos sociétés : {names}',
    signOut: 'Fermer la session',
    none: 'Aucune application connectée',
    noneText: 'Une application que vous connectez à votre compte NeonPanel apparaîtra ici.',
    connect: 'Comment connecter une application',
    unknownApp: 'une application d’adresse inconnue',
    appTarget: 'une application à liens {scheme}',
    loopback: 'Un programme sur l’ordinateur où il a été connecté.',
    appLink: 'Une application sur un appareil, qui ouvre les liens {scheme}.',
    mayRead: `Elle peut lire ${data}.`,
    mayWrite:
      'Elle peut aussi créer des documents, par exemple des factures. Elle ne peut ni modifier ni supprimer ce qui existe.',
    mayNotWrite: 'Elle ne peut rien créer, modifier ni supprimer.',
    first: 'Connectée',
    last: 'Dernière utilisation',
    never: 'Pas encore utilisée',
    calls: 'Nombre d’appels',
    disconnect: 'Déconnecter',
    disconnectWhat: '{target}, connectée le {time}',
    disconnectAll: 'Déconnecter toutes les applications',
    counted: 'Les appels apparaissent ici en moins d’une minute.',
    some: 'Voici les {shown} connexions utilisées en dernier, sur {total}.',
    showAll: 'Tout afficher',
    incomplete:
      'Vous avez plus de connexions qu’il n’est possible d’afficher. « Déconnecter toutes les applications » y met fin à toutes.',
    ended: 'Déconnectées récemment',
    again: 'Pour utiliser à nouveau une application, connectez-la de nouveau à partir de celle-ci.',
    confirmOne: 'Déconnecter {target} ?',
    confirmAll: 'Déconnecter toutes les applications ?',
    count: 'Connexions qui prendront fin : {count}',
    means:
      'En moins d’une seconde, elle n’aura plus accès à vos données NeonPanel par l’intermédiaire de ce serveur. Elle peut avoir conservé ce qu’elle a lu auparavant.',
    meansAll:
      'En moins d’une seconde, aucune n’aura plus accès à vos données NeonPanel par l’intermédiaire de ce serveur. Elles peuvent avoir conservé ce qu’elles ont lu auparavant.',
    keep: 'Annuler',
    why: {
      person: 'Vous l’avez déconnectée ici.',
      app: 'L’application elle-même a mis fin à la connexion.',
      operator: 'Les exploitants de ce serveur ont mis fin à la connexion.',
      neonpanel: 'NeonPanel a mis fin à la connexion.',
      replayed:
        'Ce serveur a mis fin à la connexion, car une clé à usage unique de l’application est arrivée une seconde fois.',
      lost: 'Ce serveur a mis fin à la connexion, car son accès à NeonPanel a été perdu.',
    },
  },

  home: {
    title: 'Connectez votre assistant IA',
    lead: 'Ce serveur permet à ChatGPT, Claude, Cursor, VS Code et d’autres applications d’IA de travailler avec votre compte NeonPanel : sociétés, stocks, coûts, chiffres d’affaires et rapports.',
    address: 'L’adresse à connecter',
    copy: 'Copier',
    copied: 'Copié',
    noSecret: 'Aucun identifiant client ni secret n’est nécessaire.',
    how: 'Comment connecter',
    chatgpt:
      'Settings → Apps → Advanced settings : activez le mode développeur (Developer mode). Ensuite, Settings → Apps → Create app : collez l’adresse et sélectionnez OAuth.',
    claude: 'Settings → Connectors → Add custom connector, puis collez l’adresse.',
    claudeCode: 'Exécutez ceci, puis tapez /mcp pour vous connecter :',
    cursor: 'Ajoutez ceci à ~/.cursor/mcp.json :',
    vscode: 'Exécutez ceci :',
    others:
      'Toute application compatible MCP peut se connecter : donnez-lui l’adresse, avec le transport « Streamable HTTP ». Si elle ne sait pas se connecter seule, exécutez ceci :',
    othersName: 'Autres applications',
    then: 'Ce qui se passe ensuite',
    thenAsk:
      'Votre application ouvre une page de ce serveur, qui dit qui demande et ce que l’application pourra faire.',
    thenSignIn:
      'Vous vous connectez à NeonPanel. Aucune application ne voit jamais votre mot de passe.',
    thenUse:
      'Votre application peut lire. Elle ne peut créer des documents que si vous l’avez permis.',
    account: 'Vos applications connectées',
    accountText:
      'Consultez les applications qui utilisent votre compte NeonPanel par l’intermédiaire de ce serveur, et déconnectez-les si besoin :',
    status: 'État',
    statusUp: 'Ce serveur fonctionne.',
    statusDown: 'Une partie de ce serveur ne répond pas en ce moment. Réessayez dans un instant.',
    neonpanelUp: 'NeonPanel répond.',
    neonpanelDown:
      'NeonPanel ne répond pas en ce moment : vos applications ne peuvent pas obtenir ses données. Les connexions restent en place.',
    statusMore: 'État pour les programmes',
  },

  message: {
    next: 'Que faire maintenant',
    supportCode: 'Si vous demandez de l’aide, indiquez ce code :',
    forMaker: 'Pour l’éditeur de l’application :',
    tryAgain: 'Réessayer',
  },

  messages: {
    expired: {
      title: over,
      text: 'Elle a duré plus longtemps que permis, ou n’a jamais commencé.',
      todo: again,
    },
    used: {
      title: over,
      text: 'Elle a déjà été terminée, ou recommencée dans un autre onglet.',
      todo: `Si l’application est connectée, vous avez fini. Sinon : ${again}`,
    },
    declined: {
      title: over,
      text: 'Vous l’avez annulée, et rien n’a été connecté.',
      todo: `Si vous avez changé d’avis : ${again}`,
    },
    otherBrowser: {
      title: over,
      text: 'Elle a été commencée dans un autre navigateur, ou ce navigateur ne conserve pas les cookies.',
      todo: `Restez dans le même navigateur du début à la fin. ${again}`,
    },
    over: {
      title: over,
      text: 'Elle a expiré, a déjà été terminée ou a été commencée dans un autre navigateur.',
      todo: again,
    },
    unknownClient: {
      title: 'Cette application n’est plus reconnue ici',
      text: 'Ce que l’application a retenu de ce serveur n’est plus à jour.',
      todo: 'Supprimez le connecteur NeonPanel dans votre application et ajoutez-le de nouveau ; elle s’enregistre alors à nouveau.',
    },
    unknownClientOf: {
      title: '{app} n’est plus reconnu ici',
      text: 'Ce que {app} a retenu de ce serveur n’est plus à jour.',
      todo: 'Supprimez le connecteur NeonPanel dans {app} et ajoutez-le de nouveau ; l’application s’enregistre alors à nouveau.',
    },
    tryLater: {
      title: 'Veuillez réessayer dans un instant',
      text: 'Une partie de ce service ne répond pas en ce moment. Rien n’est perdu.',
      todo: 'Rechargez cette page dans quelques secondes.',
    },
    busy: {
      title: 'Veuillez réessayer dans un instant',
      text: 'Une partie de ce service ne répond pas en ce moment.',
      todo: 'Votre demande est conservée quelques minutes. Réessayez dans un instant.',
    },
    tooMany: {
      title: 'Trop de demandes',
      text: 'Ce service a reçu plus de demandes qu’il n’en accepte à la fois.',
      todo: 'Attendez une minute, puis rechargez cette page.',
    },
    serverError: {
      title: 'Un problème est survenu de notre côté',
      text: 'Vous n’y êtes pour rien.',
      todo: 'Veuillez réessayer. Si cela se répète, indiquez-nous le code ci-dessous.',
    },
    notFound: {
      title: 'Il n’y a rien ici',
      text: 'L’adresse est peut-être mal écrite.',
      todo: 'Pour connecter une application, commencez dans cette application.',
    },
    forged: {
      title: 'Cette demande ne peut pas aboutir',
      text: 'Cette page doit être ouverte et remplie dans le même navigateur, et uniquement depuis ce site.',
      todo: again,
    },
    notPossible: {
      title: 'Cette demande ne peut pas aboutir',
      text: 'L’application a envoyé quelque chose que ce service n’accepte pas.',
      todo: `${again} ${tellMaker}`,
    },
    neonpanelAway: {
      title: 'NeonPanel est injoignable en ce moment',
      text: 'Nous n’avons pas pu vous y connecter.',
      todo: 'Votre demande est conservée quelques minutes. Réessayez dans un instant.',
    },
    neonpanelRefused: {
      title: 'NeonPanel n’a pas accepté la connexion',
      text: 'NeonPanel a refusé cette connexion.',
      todo: 'Vous pouvez réessayer, peut-être avec un autre compte.',
    },
    accountForged: {
      title: 'Cette demande ne peut pas aboutir',
      text: 'Cette page doit être ouverte et validée dans le même navigateur et au cours de la même session, et uniquement depuis ce site.',
      todo: 'Ouvrez à nouveau la page de vos applications connectées.',
    },
    accountOver: {
      title: 'Cette connexion ne peut plus aboutir',
      text: 'Elle a pris trop de temps, a déjà abouti ou a commencé dans un autre navigateur.',
      todo: 'Connectez-vous à nouveau, et restez dans un seul navigateur du début à la fin.',
    },
    accountDenied: {
      title: 'La connexion n’a pas eu lieu',
      text: 'La connexion à NeonPanel a été annulée.',
      todo: 'Vous pouvez réessayer à tout moment.',
    },
    accountAway: {
      title: 'La connexion est impossible pour le moment',
      text: 'NeonPanel ou une partie de ce service ne répond pas.',
      todo: 'Réessayez dans un instant.',
    },
    accountBusy: {
      title: 'Réessayez dans un instant',
      text: 'Une partie de ce service ne répond pas pour le moment : il se peut que rien n’ait été fait.',
      todo: 'Ouvrez la page de vos applications connectées, voyez ce qu’elle indique et réessayez.',
    },
    accountPartly: {
      title: 'Tout n’a pas été fait',
      text: 'Une partie de ce service ne répond pas pour le moment. Certaines de vos applications sont peut-être déjà déconnectées, d’autres non.',
      todo: 'Ouvrez la page de vos applications connectées, voyez lesquelles restent et réessayez.',
    },
    accountNotPossible: {
      title: 'Cette demande ne peut pas aboutir',
      text: 'Votre navigateur a envoyé quelque chose que cette page n’accepte pas.',
      todo: 'Ouvrez à nouveau la page de vos applications connectées.',
    },
    notAnAddress: {
      title: 'Cette application ne peut pas être reconnue',
      text: 'Elle dit que sa description se trouve à une adresse, mais nous ne pouvons pas utiliser cette adresse.',
      todo: 'Prévenez l’éditeur de l’application.',
    },
    notOpen: {
      title: 'Cette application n’est pas autorisée ici',
      text: 'Seules les applications préparées à l’avance peuvent se connecter.',
      todo: 'Adressez-vous à la personne qui gère ce service.',
    },
    descriptionInvalid: {
      title: 'La description de cette application n’est pas valide',
      text: 'Ce que {host} dit de l’application ne peut pas être accepté.',
      todo: 'Prévenez l’éditeur de l’application, ou réessayez quand il l’aura corrigée.',
    },
    descriptionAway: {
      title: 'La description de l’application ne peut pas être chargée en ce moment',
      text: 'Ce service a interrogé {host} au sujet de l’application et n’a pas reçu de réponse utilisable.',
      todo: `Rechargez cette page dans une minute. ${tellMaker}`,
    },
  },
};

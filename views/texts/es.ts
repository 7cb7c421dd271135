import type { Texts } from './texts.ts';

const over = 'Este inicio de sesión ya no se puede completar';
const again = 'Vuelva a su aplicación y conéctela de nuevo.';
const tellMaker = 'Si se repite, avise al desarrollador de la aplicación.';

/** What an app may read, on every page that says so. */
const data =
  'sus empresas, existencias, almacenes, costes en destino (landed cost), costes de ventas (COGS), ingresos e informes';

export const es: Texts = {
  layout: {
    sandbox:
      'Este servidor funciona con un entorno de pruebas y datos inventados. Nada de lo que hay aquí es una cuenta real de NeonPanel.',
    languages: 'Idioma',
    help: 'Ayuda',
  },

  consent: {
    title: 'Conectar una aplicación',
    heading: '¿Permitir que {target} lea sus datos de NeonPanel?',
    verified: 'Dirección verificada de {app}',
    verifiedMeans:
      '«Verificada» significa que, según la lista que mantenemos, esta dirección pertenece a {app}. No dice nada sobre lo que la aplicación hace con sus datos.',
    saidName: 'La aplicación dice llamarse {name}.',
    describedAt: 'La aplicación está descrita en {host} y dice llamarse {name}.',
    describedAtOnly: 'La aplicación está descrita en {host}.',
    anyName: 'Cualquiera puede elegir un nombre.',
    addressCounts: 'Lo que cuenta es la dirección de arriba.',
    /** Stands for {target} where that is an app’s scheme. */
    appTarget: 'una aplicación de este dispositivo (enlaces {scheme})',
    notThatApp:
      'La aplicación dice llamarse {name}, pero esta dirección no es ninguna de las que conocemos de {app}. Continúe solo si reconoce esta dirección.',
    loopback:
      'La respuesta se envía a un programa de este ordenador. Continúe solo si acaba de iniciarlo usted.',
    appLink:
      'La respuesta se envía a una aplicación de este dispositivo que abre los enlaces {scheme}. Cualquier aplicación puede abrirlos: continúe solo si acaba de empezar desde esa aplicación.',
    allows: 'Qué podrá hacer',
    read: 'Leer',
    readAllows: `${data} en NeonPanel.`,
    readForbids: 'No puede crear, cambiar ni borrar nada, y nunca ve su contraseña de NeonPanel.',
    write: 'Permitirle también crear documentos,',
    writeAllows:
      'por ejemplo facturas, en NeonPanel. Sigue sin poder cambiar ni borrar lo que ya existe.',
    writeHint:
      'Deje esta casilla vacía para permitir solo la lectura. Si la aplicación le ha enviado aquí porque quería crear algo, márquela.',
    next: 'Qué ocurre después',
    nextSignIn: 'Usted inicia sesión en NeonPanel, en {host}.',
    nextReturn: 'Vuelve a {target}, y la aplicación queda conectada.',
    nextEnd: 'Puede desconectarla en cualquier momento en {place}.',
    approve: 'Continuar a NeonPanel',
    deny: 'Cancelar',
    expires: 'Esta solicitud caduca en {minutes}, a las {time}.',
    problem: 'Hay un problema',
    problemChoose: 'No se ha pulsado ninguno de los dos botones. Elija uno de ellos.',
  },

  account: {
    title: 'Aplicaciones conectadas',
    lead: 'Consulte qué aplicaciones usan su cuenta de NeonPanel a través de este servidor y desconéctelas si lo desea.',
    how: 'Para saber quién es usted, este servidor le pide que inicie sesión en NeonPanel, en {host}. Nunca ve su contraseña.',
    howLong: 'Su sesión aquí dura {minutes} minutos, o hasta que la cierre.',
    signIn: 'Iniciar sesión en NeonPanel',
    over: 'Su sesión ha terminado: se acabó el tiempo o la cerró en otra pestaña. Inicie sesión otra vez para continuar.',
    nothingDone:
      'No se ha desconectado nada, porque su sesión aquí ha terminado. Inicie sesión otra vez y repítalo.',
    tooLate:
      'Esta página estuvo abierta demasiado tiempo, o este navegador no guarda cookies. Pulse el botón otra vez.',
    user: 'Ha iniciado sesión como usuario {id} de NeonPanel.',
    companies: 'Entre sus empresas: {names}',
    signOut: 'Cerrar sesión',
    none: 'Todavía no hay aplicaciones conectadas',
    noneText: 'Una aplicación que conecte a su cuenta de NeonPanel aparecerá aquí.',
    connect: 'Cómo conectar una aplicación',
    unknownApp: 'una aplicación de dirección desconocida',
    appTarget: 'una aplicación con enlaces {scheme}',
    loopback: 'Un programa en el ordenador en el que se conectó.',
    appLink: 'Una aplicación en un dispositivo, que abre enlaces {scheme}.',
    mayRead: `Puede leer ${data}.`,
    mayWrite:
      'También puede crear documentos, por ejemplo facturas. No puede cambiar ni borrar lo que hay.',
    mayNotWrite: 'No puede crear, cambiar ni borrar nada.',
    first: 'Conectada',
    last: 'Último uso',
    never: 'Aún sin usar',
    calls: 'Número de llamadas',
    disconnect: 'Desconectar',
    disconnectWhat: '{target}, conectada el {time}',
    disconnectAll: 'Desconectar todas las aplicaciones',
    counted: 'Las llamadas aparecen aquí en menos de un minuto.',
    some: 'Estas son las {shown} conexiones usadas más recientemente, de {total}.',
    showAll: 'Mostrar todas',
    incomplete:
      'Tiene más conexiones de las que se pueden mostrar. «Desconectar todas las aplicaciones» finaliza todas.',
    ended: 'Desconectadas recientemente',
    again: 'Para volver a usar una aplicación, conéctela de nuevo desde ella.',
    confirmOne: '¿Desconectar {target}?',
    confirmAll: '¿Desconectar todas las aplicaciones?',
    count: 'Conexiones que finalizarán: {count}',
    means:
      'En menos de un segundo dejará de tener acceso a sus datos de NeonPanel a través de este servidor. Puede haber guardado lo que leyó antes.',
    meansAll:
      'En menos de un segundo ninguna tendrá ya acceso a sus datos de NeonPanel a través de este servidor. Pueden haber guardado lo que leyeron antes.',
    keep: 'Cancelar',
    why: {
      person: 'Usted la desconectó aquí.',
      app: 'La propia aplicación finalizó la conexión.',
      operator: 'Quienes administran este servidor finalizaron la conexión.',
      neonpanel: 'NeonPanel finalizó la conexión.',
      replayed:
        'Este servidor finalizó la conexión, porque una clave de un solo uso de la aplicación llegó por segunda vez.',
      lost: 'Este servidor finalizó la conexión, porque se perdió su acceso a NeonPanel.',
    },
  },

  home: {
    title: 'Conecte su asistente de IA',
    lead: 'Este servidor permite que ChatGPT, Claude, Cursor, VS Code y otras aplicaciones de IA trabajen con su cuenta de NeonPanel: sus empresas, existencias, costes, ingresos e informes.',
    address: 'La dirección para conectar',
    copy: 'Copiar',
    copied: 'Copiado',
    noSecret: 'No hace falta ningún identificador de cliente ni secreto.',
    how: 'Cómo conectar',
    chatgpt:
      'Settings → Apps → Advanced settings: active el modo de desarrollador (Developer mode). Luego, Settings → Apps → Create app: pegue la dirección y seleccione OAuth.',
    claude: 'Settings → Connectors → Add custom connector, y pegue la dirección.',
    claudeCode: 'Ejecute esto y escriba después /mcp para iniciar sesión:',
    cursor: 'Añada esto a ~/.cursor/mcp.json:',
    vscode: 'Ejecute esto:',
    others:
      'Cualquier aplicación compatible con MCP puede conectarse: dele la dirección, con el transporte «Streamable HTTP». Si no puede iniciar sesión por sí misma, ejecute esto:',
    othersName: 'Otras aplicaciones',
    then: 'Qué ocurre después',
    thenAsk:
      'Su aplicación abre una página de este servidor, que dice quién pregunta y qué podrá hacer la aplicación.',
    thenSignIn: 'Usted inicia sesión en NeonPanel. Ninguna aplicación ve nunca su contraseña.',
    thenUse: 'Su aplicación puede leer. Solo puede crear documentos si usted lo ha permitido.',
    account: 'Sus aplicaciones conectadas',
    accountText:
      'Consulte qué aplicaciones usan su cuenta de NeonPanel a través de este servidor y desconéctelas si lo desea:',
    status: 'Estado',
    statusUp: 'Este servidor funciona.',
    statusDown:
      'Una parte de este servidor no responde en este momento. Inténtelo de nuevo dentro de un momento.',
    neonpanelUp: 'NeonPanel responde.',
    neonpanelDown:
      'NeonPanel no responde en este momento, por lo que sus aplicaciones no pueden obtener datos. Las conexiones se mantienen.',
    statusMore: 'Estado para programas',
  },

  message: {
    next: 'Qué hacer ahora',
    supportCode: 'Si pide ayuda, indique este código:',
    forMaker: 'Para el desarrollador de la aplicación:',
    tryAgain: 'Intentar de nuevo',
  },

  messages: {
    expired: {
      title: over,
      text: 'Ha tardado demasiado o nunca llegó a empezar.',
      todo: again,
    },
    used: {
      title: over,
      text: 'Ya se completó o se empezó de nuevo en otra pestaña.',
      todo: `Si la aplicación está conectada, ha terminado. Si no: ${again}`,
    },
    declined: {
      title: over,
      text: 'Usted lo ha cancelado y no se ha conectado nada.',
      todo: `Si ha cambiado de opinión: ${again}`,
    },
    otherBrowser: {
      title: over,
      text: 'Se empezó en otro navegador, o este navegador no guarda las cookies.',
      todo: `Siga en el mismo navegador de principio a fin. ${again}`,
    },
    over: {
      title: over,
      text: 'Ha caducado, ya se completó o se empezó en otro navegador.',
      todo: again,
    },
    unknownClient: {
      title: 'Esta aplicación ya no se reconoce aquí',
      text: 'Lo que la aplicación recuerda de este servidor ya no es válido.',
      todo: 'Quite el conector de NeonPanel en su aplicación y añádalo de nuevo; la aplicación se registra entonces otra vez.',
    },
    unknownClientOf: {
      title: '{app} ya no se reconoce aquí',
      text: 'Lo que {app} recuerda de este servidor ya no es válido.',
      todo: 'Quite el conector de NeonPanel en {app} y añádalo de nuevo; la aplicación se registra entonces otra vez.',
    },
    tryLater: {
      title: 'Inténtelo de nuevo dentro de un momento',
      text: 'Una parte de este servicio no responde en este momento. No se ha perdido nada.',
      todo: 'Recargue esta página dentro de unos segundos.',
    },
    busy: {
      title: 'Inténtelo de nuevo dentro de un momento',
      text: 'Una parte de este servicio no responde en este momento.',
      todo: 'Su solicitud se guarda unos minutos. Inténtelo de nuevo dentro de un momento.',
    },
    tooMany: {
      title: 'Demasiadas solicitudes',
      text: 'Se ha pedido más de lo que este servicio permite a la vez.',
      todo: 'Espere un minuto y recargue esta página.',
    },
    serverError: {
      title: 'Algo ha fallado por nuestra parte',
      text: 'No es culpa suya.',
      todo: 'Inténtelo de nuevo. Si se repite, indíquenos el código de abajo.',
    },
    notFound: {
      title: 'Aquí no hay nada',
      text: 'Puede que la dirección esté mal escrita.',
      todo: 'Para conectar una aplicación, empiece en esa aplicación.',
    },
    forged: {
      title: 'Esta solicitud no se puede completar',
      text: 'Esta página debe abrirse y responderse en el mismo navegador, y solo desde este sitio.',
      todo: again,
    },
    notPossible: {
      title: 'Esta solicitud no se puede completar',
      text: 'La aplicación ha enviado algo que este servicio no acepta.',
      todo: `${again} ${tellMaker}`,
    },
    neonpanelAway: {
      title: 'NeonPanel no está disponible en este momento',
      text: 'No hemos podido iniciar su sesión allí.',
      todo: 'Su solicitud se guarda unos minutos. Inténtelo de nuevo dentro de un momento.',
    },
    neonpanelRefused: {
      title: 'NeonPanel no ha iniciado su sesión',
      text: 'NeonPanel ha rechazado este inicio de sesión.',
      todo: 'Puede intentarlo de nuevo, quizá con otra cuenta.',
    },
    accountForged: {
      title: 'Esta solicitud no se puede completar',
      text: 'Esta página debe abrirse y responderse en el mismo navegador y la misma sesión, y solo desde este sitio.',
      todo: 'Abra otra vez la página de sus aplicaciones conectadas.',
    },
    accountOver: {
      title: 'Este inicio de sesión ya no se puede completar',
      text: 'Tardó demasiado, ya se completó o se inició en otro navegador.',
      todo: 'Inicie sesión otra vez y no cambie de navegador hasta el final.',
    },
    accountDenied: {
      title: 'No ha iniciado sesión',
      text: 'El inicio de sesión en NeonPanel se canceló.',
      todo: 'Puede intentarlo de nuevo en cualquier momento.',
    },
    accountAway: {
      title: 'Ahora mismo no se puede iniciar sesión',
      text: 'NeonPanel o una parte de este servicio no responde.',
      todo: 'Inténtelo de nuevo en un momento.',
    },
    accountBusy: {
      title: 'Inténtelo de nuevo en un momento',
      text: 'Una parte de este servicio no responde ahora mismo, así que es posible que esto no se haya hecho.',
      todo: 'Abra la página de sus aplicaciones conectadas, vea qué dice e inténtelo de nuevo.',
    },
    accountPartly: {
      title: 'No se ha hecho todo',
      text: 'Una parte de este servicio no responde ahora mismo. Puede que algunas de sus aplicaciones ya estén desconectadas y otras no.',
      todo: 'Abra la página de sus aplicaciones conectadas, vea cuáles quedan e inténtelo de nuevo.',
    },
    accountNotPossible: {
      title: 'Esta solicitud no se puede completar',
      text: 'Su navegador ha enviado algo que esta página no acepta.',
      todo: 'Abra otra vez la página de sus aplicaciones conectadas.',
    },
    notAnAddress: {
      title: 'No se puede reconocer esta aplicación',
      text: 'Dice que su descripción está en una dirección, pero no podemos usar esa dirección.',
      todo: 'Avise al desarrollador de la aplicación.',
    },
    notOpen: {
      title: 'Esta aplicación no está permitida aquí',
      text: 'Solo pueden conectarse las aplicaciones que se prepararon antes.',
      todo: 'Pregunte a quien gestiona este servicio.',
    },
    descriptionInvalid: {
      title: 'La descripción de esta aplicación no es válida',
      text: 'Lo que {host} dice de la aplicación no se puede aceptar.',
      todo: 'Avise al desarrollador de la aplicación, o inténtelo de nuevo cuando la haya corregido.',
    },
    descriptionAway: {
      title: 'La descripción de la aplicación no se puede cargar en este momento',
      text: 'Este servicio ha preguntado a {host} por la aplicación y no ha recibido una respuesta útil.',
      todo: `Recargue esta página dentro de un minuto. ${tellMaker}`,
    },
  },
};

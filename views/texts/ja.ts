import type { Texts } from './texts.ts';

const over = 'このサインインは完了できなくなりました';
const again = 'アプリに戻って、もう一度接続してください。';
const tellMaker = '何度も起きる場合は、アプリの開発元に知らせてください。';

/** What an app may read, on every page that says so. */
const data = '会社、在庫、倉庫、着荷原価、売上原価（COGS）、売上、レポート';

export const ja: Texts = {
  layout: {
    sandbox:
      'このサーバーは、架空のデータを使うテスト環境で動いています。ここにあるものは実際の NeonPanel アカウントではありません。',
    languages: '言語',
    help: 'ヘルプ',
  },

  consent: {
    title: 'アプリの接続',
    heading: '{target} に NeonPanel データの読み取りを許可しますか？',
    verified: '{app} の確認済みアドレス',
    verifiedMeans:
      '「確認済み」とは、当サービスの一覧で、このアドレスが {app} のものとされているという意味です。アプリがデータをどう扱うかを保証するものではありません。',
    saidName: 'アプリは{name}と名乗っています。',
    describedAt: 'アプリの説明は {host} にあり、{name}と名乗っています。',
    describedAtOnly: 'アプリの説明は {host} にあります。',
    anyName: '名前は誰でも自由に付けられます。',
    addressCounts: '確認すべきなのは上のアドレスです。',
    /** Stands for {target} where that is an app’s scheme. */
    appTarget: 'この端末上のアプリ（{scheme} リンク）',
    notThatApp:
      'アプリは{name}と名乗っていますが、これは当サービスが把握している {app} のアドレスではありません。このアドレスに心当たりがある場合だけ続けてください。',
    loopback:
      '応答は、このコンピューター上のプログラムに送られます。たった今ご自分で起動した場合だけ続けてください。',
    appLink:
      '応答は、{scheme} のリンクを開くこの端末上のアプリに送られます。このリンクはどのアプリでも開けるため、たった今そのアプリから操作を始めた場合だけ続けてください。',
    allows: 'アプリに許可すること',
    read: '読み取り：',
    readAllows: `NeonPanel にある${data}。`,
    readForbids: '作成、変更、削除はできません。NeonPanel のパスワードを見ることもありません。',
    write: '書類の作成も許可する：',
    writeAllows:
      'NeonPanel に請求書などの書類を作成できます。この場合も、すでにあるものの変更や削除はできません。',
    writeHint:
      '読み取りだけを許可する場合は、チェックを入れないでください。アプリが何かを作成しようとしてこの画面が開いた場合は、チェックを入れてください。',
    next: 'この後の流れ',
    nextSignIn: 'NeonPanel（{host}）でサインインします。',
    nextReturn: '{target} に戻り、アプリが接続されます。',
    nextEnd: '接続は {place} でいつでも解除できます。',
    approve: 'NeonPanel に進む',
    deny: 'キャンセル',
    expires: 'このリクエストの有効期限は残り {minutes}です（{time} まで）。',
    problem: '問題があります',
    problemChoose: 'どちらのボタンも押されていません。どちらか一つを選んでください。',
  },

  account: {
    title: '接続中のアプリ',
    lead: 'このサーバーを通じて NeonPanel アカウントを利用しているアプリを確認し、接続を解除できます。',
    how: 'ご本人であることを確認するため、NeonPanel（{host}）でサインインしていただきます。このサーバーがパスワードを見ることはありません。',
    howLong: 'ここでのサインインは {minutes} 分間、またはサインアウトするまで有効です。',
    signIn: 'NeonPanel でサインイン',
    over: 'サインアウトされています。有効時間が過ぎたか、別のタブでサインアウトしました。続けるにはもう一度サインインしてください。',
    nothingDone:
      'ここでのサインインが終了しているため、何も解除されていません。もう一度サインインして、やり直してください。',
    tooLate:
      'このページを開いてから時間がたちすぎたか、このブラウザーが Cookie を保存していません。ボタンをもう一度押してください。',
    user: 'NeonPanel ユーザー {id} としてサインインしています。',
    companies: '会社（一部）：{names}',
    signOut: 'サインアウト',
    none: '接続中のアプリはまだありません',
    noneText: 'NeonPanel アカウントに接続したアプリがここに表示されます。',
    connect: 'アプリの接続方法',
    unknownApp: 'アドレスが不明なアプリ',
    appTarget: '{scheme} リンクを使うアプリ',
    loopback: '接続したコンピューター上のプログラムです。',
    appLink: '{scheme} のリンクを開く、端末上のアプリです。',
    mayRead: `${data}を読み取れます。`,
    mayWrite: '請求書などの書類を作成することもできます。既存のものの変更や削除はできません。',
    mayNotWrite: '作成、変更、削除はできません。',
    first: '接続日時',
    last: '最後の利用',
    never: 'まだ利用されていません',
    calls: '呼び出し回数',
    disconnect: '接続を解除',
    disconnectWhat: '{target}（接続：{time}）',
    disconnectAll: 'すべてのアプリの接続を解除',
    counted: '呼び出しは 1 分以内にここに反映されます。',
    some: '全 {total} 件のうち、最近利用された {shown} 件を表示しています。',
    showAll: 'すべて表示',
    incomplete:
      '接続が多すぎて、すべては表示できません。「すべてのアプリの接続を解除」を選ぶと、すべて解除されます。',
    ended: '最近解除された接続',
    again: 'アプリを再び利用するには、そのアプリからもう一度接続してください。',
    confirmOne: '{target} の接続を解除しますか？',
    confirmAll: 'すべてのアプリの接続を解除しますか？',
    count: '解除される接続の数：{count}',
    means:
      '1 秒以内に、このサーバーを通じて NeonPanel のデータにアクセスできなくなります。それまでに読み取ったものは、アプリ側に残っている場合があります。',
    meansAll:
      '1 秒以内に、どのアプリもこのサーバーを通じて NeonPanel のデータにアクセスできなくなります。それまでに読み取ったものは、アプリ側に残っている場合があります。',
    keep: 'キャンセル',
    why: {
      person: 'ここで解除しました。',
      app: 'アプリ自身が接続を終了しました。',
      operator: 'このサーバーの運営者が接続を終了しました。',
      neonpanel: 'NeonPanel が接続を終了しました。',
      replayed: 'アプリの一度限りのキーが二度使われたため、このサーバーが接続を終了しました。',
      lost: 'NeonPanel へのアクセスが失われたため、このサーバーが接続を終了しました。',
    },
  },

  home: {
    title: 'AI アシスタントを接続する',
    lead: 'このサーバーを通じて、ChatGPT、Claude、Cursor、VS Code などの AI アプリから、NeonPanel アカウントの会社、在庫、原価、売上、レポートを利用できます。',
    address: '接続するアドレス',
    copy: 'コピー',
    copied: 'コピーしました',
    noSecret: 'クライアント ID やシークレットは必要ありません。',
    how: '接続方法',
    chatgpt:
      'Settings → Apps → Advanced settings で、開発者モード（Developer mode）をオンにします。次に Settings → Apps → Create app を開き、アドレスを貼り付けて、OAuth を選びます。',
    claude: 'Settings → Connectors → Add custom connector を選び、アドレスを貼り付けます。',
    claudeCode: '次のコマンドを実行し、その後 /mcp と入力してサインインします。',
    cursor: '次の内容を ~/.cursor/mcp.json に追加します。',
    vscode: '次のコマンドを実行します。',
    others:
      'MCP に対応したアプリなら、どれでも接続できます。トランスポートを「Streamable HTTP」にして、このアドレスを指定してください。自分でサインインできないアプリの場合は、次のコマンドを実行します。',
    othersName: 'その他のアプリ',
    then: 'その後の流れ',
    thenAsk:
      'アプリがこのサーバーのページを開きます。そこには、誰が接続しようとしているか、アプリに何を許可するかが表示されます。',
    thenSignIn: 'NeonPanel でサインインします。アプリがパスワードを見ることはありません。',
    thenUse: 'アプリは読み取りができます。書類を作成できるのは、許可した場合だけです。',
    account: '接続中のアプリ',
    accountText:
      'このサーバーを通じて NeonPanel アカウントを利用しているアプリの確認と接続の解除：',
    status: '稼働状況',
    statusUp: 'このサーバーは稼働しています。',
    statusDown: 'このサーバーの一部が応答していません。少し待ってからもう一度お試しください。',
    neonpanelUp: 'NeonPanel は応答しています。',
    neonpanelDown:
      'NeonPanel が現在応答していないため、アプリはデータを取得できません。接続はそのまま維持されます。',
    statusMore: 'プログラム向けの稼働状況',
  },

  message: {
    next: '次にすること',
    supportCode: 'お問い合わせの際は、このコードをお知らせください：',
    forMaker: 'アプリの開発元の方へ：',
    tryAgain: 'もう一度試す',
  },

  messages: {
    expired: {
      title: over,
      text: '制限時間を過ぎたか、始まっていませんでした。',
      todo: again,
    },
    used: {
      title: over,
      text: 'すでに完了しているか、別のタブでやり直されています。',
      todo: `アプリが接続されていれば、これで終わりです。接続されていない場合は、${again}`,
    },
    declined: {
      title: over,
      text: 'キャンセルされたため、何も接続されていません。',
      todo: `接続することにした場合は、${again}`,
    },
    otherBrowser: {
      title: over,
      text: '別のブラウザーで始められたか、このブラウザーが Cookie を保存していません。',
      todo: `最初から最後まで同じブラウザーで操作してください。${again}`,
    },
    over: {
      title: over,
      text: '期限が切れたか、すでに完了しているか、別のブラウザーで始められています。',
      todo: again,
    },
    unknownClient: {
      title: 'このアプリはもう登録されていません',
      text: 'アプリが覚えているこのサーバーの情報が古くなっています。',
      todo: 'アプリで NeonPanel のコネクターを削除し、もう一度追加してください。アプリが新しく登録されます。',
    },
    unknownClientOf: {
      title: '{app} はもう登録されていません',
      text: '{app} が覚えているこのサーバーの情報が古くなっています。',
      todo: '{app} で NeonPanel のコネクターを削除し、もう一度追加してください。アプリが新しく登録されます。',
    },
    tryLater: {
      title: '少し待ってからもう一度お試しください',
      text: 'このサービスの一部が応答していません。失われたデータはありません。',
      todo: '数秒後にこのページを再読み込みしてください。',
    },
    busy: {
      title: '少し待ってからもう一度お試しください',
      text: 'このサービスの一部が応答していません。',
      todo: 'リクエストは数分間保存されます。少し待ってからもう一度お試しください。',
    },
    tooMany: {
      title: 'リクエストが多すぎます',
      text: 'このサービスが一度に受け付けられる量を超えるリクエストがありました。',
      todo: '1 分ほど待ってから、このページを再読み込みしてください。',
    },
    serverError: {
      title: 'サーバー側で問題が発生しました',
      text: 'お客様の操作が原因ではありません。',
      todo: 'もう一度お試しください。何度も起きる場合は、下のコードをお知らせください。',
    },
    notFound: {
      title: 'ページが見つかりません',
      text: 'アドレスが間違っている可能性があります。',
      todo: 'アプリを接続するには、そのアプリから始めてください。',
    },
    forged: {
      title: 'このリクエストは完了できません',
      text: 'このページは、同じブラウザーで、このサイトから開いて回答する必要があります。',
      todo: again,
    },
    notPossible: {
      title: 'このリクエストは完了できません',
      text: 'アプリが、このサービスでは受け付けられないものを送信しました。',
      todo: `${again}${tellMaker}`,
    },
    neonpanelAway: {
      title: '現在 NeonPanel に接続できません',
      text: 'NeonPanel でサインインできませんでした。',
      todo: 'リクエストは数分間保存されます。少し待ってからもう一度お試しください。',
    },
    neonpanelRefused: {
      title: 'NeonPanel でサインインできませんでした',
      text: 'NeonPanel がこのサインインを拒否しました。',
      todo: 'もう一度お試しください。別のアカウントならサインインできるかもしれません。',
    },
    accountForged: {
      title: 'このリクエストは完了できません',
      text: 'このページは、同じブラウザーの同じセッションで、このサイトから開いて回答する必要があります。',
      todo: '接続中のアプリのページをもう一度開いてください。',
    },
    accountOver: {
      title: 'このサインインは完了できなくなりました',
      text: '時間がかかりすぎたか、すでに完了したか、別のブラウザーで始められました。',
      todo: 'もう一度サインインし、最後まで同じブラウザーを使ってください。',
    },
    accountDenied: {
      title: 'サインインしていません',
      text: 'NeonPanel でのサインインがキャンセルされました。',
      todo: 'いつでももう一度お試しいただけます。',
    },
    accountAway: {
      title: '現在サインインできません',
      text: 'NeonPanel またはこのサービスの一部が応答していません。',
      todo: '少し待ってからもう一度お試しください。',
    },
    accountBusy: {
      title: '少し待ってからもう一度お試しください',
      text: 'このサービスの一部が現在応答していないため、実行されていない可能性があります。',
      todo: '接続中のアプリのページを開いて状態を確認し、もう一度お試しください。',
    },
    accountPartly: {
      title: '一部しか実行されていません',
      text: 'このサービスの一部が現在応答していません。すでに接続が解除されたアプリと、まだのアプリがある可能性があります。',
      todo: '接続中のアプリのページを開いて残っているものを確認し、もう一度お試しください。',
    },
    accountNotPossible: {
      title: 'このリクエストは完了できません',
      text: 'このページで受け付けられないものがブラウザーから送信されました。',
      todo: '接続中のアプリのページをもう一度開いてください。',
    },
    notAnAddress: {
      title: 'このアプリを確認できません',
      text: 'アプリは説明の置き場所としてアドレスを示していますが、そのアドレスは使用できません。',
      todo: 'アプリの開発元に知らせてください。',
    },
    notOpen: {
      title: 'このアプリはここでは許可されていません',
      text: '接続できるのは、事前に設定されたアプリだけです。',
      todo: 'このサービスの管理者にお問い合わせください。',
    },
    descriptionInvalid: {
      title: 'このアプリの説明は正しくありません',
      text: '{host} にあるアプリの説明を受け付けられません。',
      todo: 'アプリの開発元に知らせるか、修正された後にもう一度お試しください。',
    },
    descriptionAway: {
      title: '現在アプリの説明を読み込めません',
      text: 'このサービスは {host} にアプリについて問い合わせましたが、有効な応答がありませんでした。',
      todo: `1 分後にこのページを再読み込みしてください。${tellMaker}`,
    },
  },
};

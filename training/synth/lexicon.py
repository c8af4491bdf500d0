"""Frequent words of some locales, so that running text looks like running text; Babel's CLDR names give the rest."""

from __future__ import annotations

FREQUENT = {
    "en": (
        "the of and to in a is that for it was on are as with his they at be this from have or by one had not but "
        "what all were when we there can an your which their said if do will each about how up out them then she "
        "many some so these would other into has more her two like him see time could no make than first been its "
        "who now people my made over did down only way find use may water long little very after words called "
        "just where most know get through back much before go good new write our used me man too any day same "
        "right look think also around another came come work three must because does part even place well such "
        "here take why help put different away again off went old number great tell men say small every found "
        "still between name should home big give air line set own under read last never us left end along while "
        "might next sound below saw something thought both few those always looked show large often together "
        "asked house world going want school important until form food keep children feet land side without boy "
        "once animals life enough took sometimes four head above kind began almost live page got earth need far "
        "hand high year mother light parts country father let night following picture being study second eyes "
        "soon times story boys since white days ever paper hard near sentence better best across during today "
        "others however sure means knew try told young miles sun ways thing whole hear example heard several "
        "change answer room sea against top turned learn point city play toward five using himself usually money "
        "open price total free sale special hotel street coffee market kitchen bakery garden summer winter music "
        "album love dark star king queen return shadow secret power dream journey report review chapter results "
        "method figure table market shares company service contact email password settings"
    ),
    "de": (
        "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus "
        "er hat dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder aber "
        "vor zur bis mehr durch man sein wurde sei Straße Größe Rechnung Jahr Zeit Haus Stadt Bäckerei "
        "Öffnungszeiten Achtung Ausgang Welt Leben Mädchen"
    ),
    "fr": (
        "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont avec ou "
        "son l'on été comme mais cette d'une sa ils aux tout nous leur même très après sans où être fait bien "
        "année temps monde état façon boulangerie sortie rue école théâtre château été vie amour histoire facture "
        "reçu numéro"
    ),
    "es": (
        "de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me si "
        "sin sobre este ya entre cuando todo esta ser son dos también fue había era muy años hasta desde está mi "
        "porque qué sólo han yo hay vez puede todos así nos ni parte tiene él uno donde bien tiempo mismo ese "
        "ahora cada vida otro después señor niño calle año"
    ),
    "it": (
        "di e il la che in a per un è con non una del si le da dei alla i sono della al nel come più ha anche lo "
        "dal ma gli dalla questo suo essere tra fatto stato delle prima molto tempo vita perché così città anni "
        "giorno uscita via"
    ),
    "pt": (
        "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à "
        "seu sua ou ser quando muito há nos já está eu também só pelo pela até isso ela entre era depois sem "
        "mesmo aos ter vida coração rua"
    ),
    "nl": (
        "de van het een en in is dat op te zijn met voor niet aan er om ook als dan maar bij uit nog worden door "
        "naar heeft hij wordt kan meer werd geen over al tot deze onder jaar tijd straat leven huis mijn zij"
    ),
    "pl": (
        "w i na z się do nie to jest że o jak za od po ale dla są przez co już tylko przed oraz być może tak było "
        "czy bardzo lat jego pod bez jeszcze gdy więc między życie miłość ulica wyjście rok czas świat"
    ),
    "cs": (
        "a v se na je že o s z do i to k ve pro za by ale po jako od jsou který jeho byl není však také jen své "
        "mezi být může roku život ulice vchod výstup světa příběh děti"
    ),
    "tr": (
        "ve bir bu da de için ile olarak çok daha olan gibi en kadar sonra ne var olduğu ama yeni ya değil her "
        "büyük içinde iki zaman ilk göre dünya hayat sokak çıkış giriş gün yıl şehir güzel"
    ),
    "vi": (
        "và của là có các trong được cho một không với người những để đã này từ năm khi đến về như tại cũng nhiều "
        "ra ở việc nhà nước làm đường cửa hàng phở cà phê sách mới giá số điện thoại"
    ),
    "ru": (
        "и в не на я быть он с что а по это она этот к но они мы весь который из у то за свой от вы так о же для "
        "год человек до время если сам когда другой мочь один раз только знать говорить стать дело жизнь первый "
        "день рука работа слово место вопрос лицо друг глаз страна мир случай город улица дом выход вход магазин "
        "хлеб аптека внимание книга"
    ),
    "uk": (
        "і в не на я бути він з що а по це вона до але вони ми який із у за свій від ви так для рік людина час "
        "якщо інший життя перший день робота слово місце країна світ місто вулиця вихід їжа ґанок"
    ),
    "el": (
        "και το να του η της με που την από για είναι στο ο οι στην τα δεν ένα θα σε μια των τον στη ως αυτό μας "
        "έχει ή αλλά κατά χρόνια πολύ όπως μετά ζωή πόλη δρόμος έξοδος νερό βιβλίο καφέ"
    ),
    "zh": (
        "我们 你们 他们 这个 那个 什么 没有 可以 知道 时间 自己 因为 所以 但是 如果 已经 现在 今天 明天 中国 北京 "
        "上海 世界 国家 学生 老师 学校 公司 工作 问题 发展 社会 经济 生活 文化 历史 科学 技术 信息 电话 手机 电脑 "
        "网络 请勿 吸烟 小心 出口 入口 欢迎 光临 营业 餐厅 饭店 超市 药房 银行 医院 地铁 公园 大街 路 号 的 了 是 "
        "在 不 有 和 就 都 也 很 要 会 对 上 下 年 月 日 一 二 三 四 五 六 七 八 九 十 百 千 万 元 人 大 小 多 少 "
        "来 去 说 看 想 做 吃 喝 牛肉面 包子 火锅 奶茶 优惠 特价 新品 上市 报告 研究 方法 结果 表明 通过 进行 "
        "关于 以及 其中 不同 主要 根据 要求 管理 系统 服务 项目 合同 发票 金额 数量"
    ),
    "zh_Hant": (
        "我們 你們 他們 這個 那個 什麼 沒有 可以 知道 時間 自己 因為 所以 但是 如果 已經 現在 今天 明天 臺灣 香港 "
        "世界 國家 學生 老師 學校 公司 工作 問題 發展 社會 經濟 生活 文化 歷史 科學 技術 資訊 電話 手機 電腦 網路 "
        "請勿 吸煙 小心 出口 入口 歡迎 光臨 營業 餐廳 飯店 超市 藥局 銀行 醫院 捷運 公園 大道 路 號 的 了 是 在 "
        "不 有 和 就 都 也 很 要 會 對 上 下 年 月 日 一 二 三 四 五 六 七 八 九 十 百 千 萬 元 人 大 小 多 少 來 "
        "去 說 看 想 做 吃 喝 牛肉麵 茶餐廳 火鍋 奶茶 優惠 龍 鳳 書"
    ),
    "ja": (
        "の に は を た が で て と し れ さ ある いる も する から な こと として い や など なっ ない この ため "
        "その あっ よう また もの という あり まで られ なる へ か だ これ によって により おり より による ず "
        "なり られる において ば なかっ なく しかし について せ だっ その後 できる それ う ので なお のみ でき き "
        "つ における および いう さらに でも ら たり その他 に関する たち ます ん なら に対して 特に 日本 東京 "
        "時間 世界 人間 会社 学校 先生 学生 電車 駅 出口 入口 注意 営業中 定休日 お知らせ ください ありがとう "
        "ございます ラーメン うどん カレー コーヒー ゲーム テレビ ニュース サービス メニュー 本 山 川 花 空 海 道 "
        "町 村 新しい 大きい 小さい 思う 言う 行く 来る 見る 食べる 読む 書く 春 夏 秋 冬 朝 夜 雨 雪 月 火 水 木 "
        "金 土 円 税込 合計 領収書"
    ),
    "ko": (
        "이 그 저 것 수 등 및 는 은 를 을 에서 으로 하는 있다 한다 없는 우리 사람 시간 오늘 내일 세계 나라 학교 "
        "학생 선생님 회사 문제 사회 경제 생활 문화 역사 과학 기술 정보 전화 컴퓨터 출구 입구 주의 금연 환영합니다 "
        "영업중 식당 약국 은행 병원 지하철 공원 대한민국 서울 부산 커피 김밥 치킨 맥주 사랑 이야기 여행 바람 하늘 "
        "바다 노래 그리고 하지만 그러나 때문에 같은 많은 새로운 큰 작은"
    ),
    "ar": (
        "في من على إلى أن هذا هذه التي الذي كان عن مع ما لا كل بعد قبل بين عند حتى هو هي كما ذلك أو ثم قد لم وقد "
        "يوم عام سنة العالم المدينة الحياة الناس الكتاب المدرسة الشركة العمل الوقت شارع مطعم صيدلية مخرج مدخل "
        "ممنوع التدخين مرحبا سوق خبز قهوة"
    ),
    "fa": (
        "در به از که این را با است برای آن یک خود تا کرد بر هم نیز گفت می‌شود وی شد ما اما یا شده باید هر دو آنها "
        "سال مردم کشور شهر زندگی کتاب خیابان رستوران داروخانه خروج ورود کار زمان جهان"
    ),
    "ur": (
        "کے کی میں ہے اور سے کا کو اس یہ نے پر ہیں کہ ایک بھی تھا نہیں جو کر وہ لیے گیا تو ہو کیا لوگ وقت دن سال "
        "شہر زندگی کتاب"
    ),
    "he": (
        "של את על לא הוא זה עם היא כי גם אבל כל מה או יש אני אם רק עוד אחרי בין היה הם אין כך שנה יום זמן חיים "
        "עולם עיר רחוב כניסה יציאה בית ספר מסעדה אסור לעשן שלום ילדים אהבה לחם קפה"
    ),
    "hi": (
        "के में की है और से का को ने पर हैं यह कि एक इस भी था नहीं जो कर हो लिए गया तो वह साथ या अपने कुछ किया "
        "बाद तक जा सकता लोग समय दिन साल शहर जीवन दुनिया काम घर पानी सड़क दुकान प्रवेश निकास विद्यालय पुस्तक चाय "
        "भोजनालय"
    ),
    "bn": (
        "এই ও করে এবং থেকে একটি তার না হয় জন্য সে যে আর কি তিনি এক কথা হয়ে আমি বলে মধ্যে সময় পরে লোক দিন বছর "
        "শহর জীবন কাজ বাড়ি জল দোকান বই"
    ),
    "ta": (
        "ஒரு இந்த என்று மற்றும் அவர் அது நான் என இருந்து என்ன உள்ள பல வேண்டும் இல்லை நாள் மக்கள் வாழ்க்கை நகரம் வேலை வீடு தண்ணீர் கடை புத்தகம்"
    ),
    "th": (
        "ที่ และ ใน เป็น การ ของ ได้ มี ไม่ ว่า ให้ จะ มา กับ ไป นี้ จาก คน แล้ว วัน ปี เมือง ชีวิต บ้าน น้ำ ร้าน "
        "อาหาร ทางออก ทางเข้า ห้าม สูบบุหรี่ หนังสือ กาแฟ ราคา บาท"
    ),
    "sr": (
        "и у је да се на од за са су као али не што то који био из до по све или јер још само после пре живот "
        "град улица свет"
    ),
}

package main

// names are what the patterns search: function names as Go spells them, and
// texts on which engines disagree.
var names = []string{
	"", "a", "b", "aa", "ab", "aaa", "aaaaaa", "k", "K", "x", "xx", "xxxxxx", "7", "_", "-", " ", "\n", "\x00",
	"runtime.mallocgc", "main.main", "main.main.func1", "main.(*T).Method-fm", "pkg.init.0", "pkg..inittask",
	"net/http.(*conn).serve", "net/http.", "net/http.HandlerFunc.ServeHTTP", "encoding/json.Unmarshal",
	"github.com/example/lib.Run", "github.com/example/example-dependency.Do",
	"slices.SortFunc[...]", "pkg.F[go.shape.int]", "type:.eq.main.Key", "A::operator()",
	"a{,3}", "x{2}", "a{", "{start}", "a]", "[a", "a&&b", "a--b", "a~~b", "a#b", "<T>", "a.b", "a+b", `a\b`, "a/b", "a'\"b",
	"a b", "a\tb", "a\vb", "a\fb", "a\ab", "a\nb", "a\n", "\na", "a\rb", "a\u0085b", "a\u00a0b", "a\u2028b",
	"\u212a", "\u017f", "straße", "STRASSE", "Ωmega", "ωmega", "ς", "É", "é", "ÿ", "café.Ünïcode", "日本.語", "😀",
	"１２３", "٣", "Ⅷ", "\ufffd", "Aǅ",
}

// patterns, by what they try. Where an engine's reading differs from Go's, or
// where it refuses what Go accepts, a rule would silently drop other frames.
var patterns = [][]string{
	{ // what people write
		``, `.`, `^$`, `a`, `^main\.`, `github.com\/example\/.*`, `github.com\/example\/example-dependency`, `github\.com/example/`,
		`^net/http\.$`, `^net/http\.\(\*conn\)\.serve$`, `conn|serve`, `^runtime\.(mallocgc|gopark)$`, `\.func\d+`, `\.func[0-9]+$`,
		`\.init\.\d+$`, `\[\.\.\.\]`, `\[go\.shape\.`, `\[...\]`, `-fm$`, `^[^/]+$`, `^[a-z]+/[a-z]+\.`, `(?i)json`, `^type:\.eq\.`,
		`operator\(\)`, `.*`, `.+\..+`, `^pkg\.\.`,
	},
	{ // quoting
		`\Qa.b\E`, `\Qa+b`, `\Q\E`, `\Q`, `\Qa\E+$`, `^\Qab\E*$`, `\Q(*T)\E`, `\Q\\E`, `a\E`, `\E`, `(?i)\QMAIN\E`, `^\Q{\Estart`, `[\Qa]\E]`,
		`\Q[a\E$`, `\Qa\Q\E`, `\Q...\E`, `\Qa{\E{1}`, `x\Q*\E`, `\Q\n\E`, `(\Q)\E)`,
	},
	{ // braces, literal and not
		`{`, `}`, `{}`, `{,}`, `{,3}`, `a{`, `a{,3}`, `^a{,3}$`, `a{}`, `a{a}`, `a{1`, `a{1,`, `a{1,2`, `a{ 1}`, `a{1, 2}`, `a{-1}`, `a{+1}`,
		`{1}`, `{start}`, `^{`, `|{`, `({`, `({)`, `a{0}`, `^a{0}$`, `^a{2}$`, `^a{02}$`, `^a{2,}$`, `^a{2,3}$`, `a{3,2}`, `a{1000}`, `a{1001}`,
		`a{1,1000}`, `a{1,1001}`, `a{0,1001}`, `a{99999999999}`, `(a{10}){100}`, `(a{10}){101}`, `((a{100}){10}){2}`, `(?:x{2}){3}`,
	},
	{ // repetition upon repetition
		`*`, `+`, `?`, `**`, `a**`, `a*+`, `x*+`, `a++`, `a?+`, `a+*`, `a??`, `^a*?$`, `a+?`, `a???`, `x{2}{3}`, `x{2}*`, `x*{2}`, `x{2}?`, `x{2}??`, `x{2}+`,
		`(*)`, `(?:*)`, `|*`, `a|*`, `^*`, `^+a`, `$*`, `\b*a`, `\b+`, `\b{2}`, `(^)*a`, `(?:^)*a`, `(?i)*`, `(?i)+a`, `()*`, `()+`, `(a*)*`, `(a*)+$`, `(a|b*)*$`,
		`^(a+)+$`, `\z*`, `\A+a`,
	},
	{ // nothing as an alternative
		`|`, `a|`, `|a`, `a||b`, `(|a)*`, `(|a)+`, `^(|a)+$`, `(a|)`, `()`, `(?:)`, `(?:|a)$`, `^(?:a|)$`, `^(a||b)$`, `|^`, `(()|())`, `^(|)$`,
	},
	{ // Perl's classes: ASCII only
		`\d`, `^\d+$`, `\D`, `^\D+$`, `\w`, `^\w+$`, `\W`, `^\W+$`, `\s`, `^a\sb$`, `\S`, `^a\Sb$`, `[\d]`, `[^\d]`, `^[^\D]+$`, `[\w-]`, `[\w.]+`, `[\s\S]`, `^[\s]$`,
		`[^\s]`, `[^\w]`, `^[^\W]$`, `^[\W]$`, `[\d-z]`, `[a-\d]`, `\d{3}`, `\h`, `\H`, `\N`, `\R`, `\X`, `\V`, `\K`, `\l`, `\L`, `\u`, `\U`,
	},
	{ // brackets within brackets
		`[a&&b]`, `^[a&&b]+$`, `[a-z&&[^a]]`, `[&&]`, `[a--b]`, `^[a--b]+$`, `[--a]`, `[a~~b]`, `^[a~~b]+$`, `[~~]`, `[[a]`, `^[[a]+$`, `[[a]]`, `^[[a]]$`, `[a[b]c]`, `[[:alpha:]&&a]`,
		`[]`, `[]a]`, `[^]a]`, `^[]]$`, `[^]`, `[[]`, `[a`, `]`, `a]`, `[a-]`, `[-a]`, `[a-c-e]`, `[a-b-z]`, `[+--]`, `[z-a]`, `[a-a]`, `[\]]`, `[\[]`, `[\-]`, `[a\-z]`, `[\^]`, `[^^]`, `[ ]`, `[#]`, `[ -~]`, `^[^ -~]+$`,
		`[.]`, `[$]`, `[(*)]`, `[{}]`, `[\n]`, `[^\n]`, `[\x00]`, `[\x00-\x{10FFFF}]`, `[^\x00-\x{10FFFF}]`, `[a^]`, `[\b]`, `[\B]`, `[\A]`, `[\z]`, `[\Q]`, `[é]`, `[à-ÿ]`, `[日]`, `[\x{1F600}]`,
	},
	{ // POSIX classes
		`[[:alpha:]]`, `^[[:alpha:]]+$`, `[[:^alpha:]]`, `[^[:alpha:]]`, `[[:digit:]]`, `^[[:word:]]+$`, `[[:space:]]`, `^a[[:space:]]b$`, `[[:blank:]]`, `[[:cntrl:]]`, `[[:punct:]]`, `^[[:graph:]]+$`, `^[[:print:]]+$`, `[[:upper:]]`,
		`[[:lower:]]`, `[[:xdigit:]]`, `[[:alnum:]]`, `^[[:ascii:]]+$`, `[[:alpha:][:digit:]]`, `[[:alpha:]_]`, `[[:Alpha:]]`, `[[:foo:]]`, `[[:^foo:]]`, `[:alpha:]`, `[[:alpha]]`, `[[:alpha:]`, `[[:alpha:]-z]`, `[[.a.]]`, `[[=a=]]`, `[[:^word:]]`,
	},
	{ // Unicode classes
		`\pN`, `^\pN+$`, `\PN`, `\pL`, `^\pL+$`, `\p{L}`, `\p{Lu}`, `^\p{Lu}$`, `\p{Lt}`, `\p{Nd}`, `\p{Greek}`, `\p{^Greek}`, `\P{Greek}`, `\P{^Greek}`, `^\P{Greek}+$`, `\p{Latin}`, `^\p{Latin}+$`, `\p{Han}`, `[\pN]`, `[^\pN]`, `[\p{Greek}a]`,
		`[^\p{Greek}]`, `\p{Any}`, `\p{ASCII}`, `\p{Assigned}`, `\p{Letter}`, `\p{greek}`, `\p{lu}`, `\p{L_}`, `\p{L&}`, `\p{LC}`, `\p{Cn}`, `\p{Script=Greek}`, `\p{sc=Greek}`, `\p{Alphabetic}`, `\p{White_Space}`, `\p{XID_Start}`, `\p{Emoji}`, `\p`, `\p{`, `\p{}`, `\pX`, `\p{Foo}`,
		`\pé`, `(?i)\p{Lu}`, `(?i)^\p{Lu}+$`, `(?i)\P{Lu}`, `(?i)[\p{Lu}]`, `\p{Zs}`, `\p{Cc}`, `\p{So}`, `\p{Uppercase_Letter}`, `\p{ Greek }`,
	},
	{ // escapes
		`\a`, `\f`, `\v`, `\t`, `\n`, `\r`, `\e`, `\0`, `\00`, `\07`, `\1`, `\12`, `\013`, `\141`, `\123`, `\377`, `\777`, `\8`, `\9`, `\08`, `\cA`, `\x`, `\x4`, `\x41`, `\x61`, `\x{61}`, `\x{0061}`, `\x{}`, `\x{g}`, `\x{ 61}`, `\x{10FFFF}`, `\x{110000}`, `\x{D800}`,
		`\x{1F600}`, `\xff`, `\xFF`, `\u0061`, `\u{61}`, `\U00000061`, `\/`, `a\/b`, `\-`, `a\-`, `\#`, `a\#b`, `\ `, `a\ b`, `\_`, `\<`, `\>`, `\<T\>`, `\"`, `\'`, `\,`, `\:`, `\;`, `\=`, `\@`, `\%`, `\!`, `\&`, `\~`, "\\`", `\.`, `\\`, `a\\b`, `\[`, `\]`, `\{`, `\}`, `\(`, `\)`, `\*`, `\+`, `\?`,
		`\|`, `\^`, `\$`, `\é`, `\日`, "\\\n", "\\\t", `\`, `a\`, `\g1`, `\k<n>`, `\i`, `\j`, `\m`, `\o{141}`, `\q`, `\y`, `\Y`, `\C`, `\G`, `\Z`, `\z`, `a\z`, `\A`, `\Aa`, "a\x00",
	},
	{ // edges of words and lines
		`\ba`, `a\b`, `\ba\b`, `\bserve\b`, `\B`, `^\B$`, `\Ba`, `\bé`, `é\b`, `\b\x{212A}\b`, `\bmega`, `\b`, `\b{start}`, `\b{end}`, `\b{start-half}`, `\ba\b{1}`, `a$`, `^a`, `(?m)a$`, `(?m)^a`, `(?m)^b$`, `(?m)^a$`, `(?m:^)b`, `(?m)$`, `(?m)^$`, `a$b`, `(?m)a$\nb`,
		`(?m)\Ab`, `(?m)a\z`, `^^a`, `a$$`, `(?m)a\r$`, `$^`, `a^`, `(?-m)a$`, `(?m-m)^b`,
	},
	{ // flags
		`(?i)K`, `(?i)k`, `(?i)\x{212A}`, `(?i)[k]`, `(?i)[a-z]`, `^(?i)[a-z]+$`, `(?i)[^k]`, `(?i)s`, `^(?i)s$`, `(?i)straSSe`, `(?i)ß`, `(?i)ω`, `(?i)σ`, `(?i)É`, `(?i)Ǆ`, `(?i)\w`, `^(?i)\w$`, `^(?i)\W$`, `^(?i)[\w]$`, `^(?i)[^\w]$`, `^(?i)[[:alpha:]]$`, `^(?i)[[:lower:]]$`, `^(?i)[[:upper:]]+$`, `^(?i)[[:word:]]$`, `(?i)\bk`, `(?i:K)`,
		`(?i)a(?-i)B`, `(?i)A|B`, `(?i:A)|B`, `a(?i)B|K`, `(a(?i))B`, `^.$`, `(?s)^.$`, `a.b`, `(?s)a.b`, `(?s:a.)b`, `(?-s)a.b`, `(?s)(?-s)a.b`, `(?U)a+`, `(?U)^a+$`, `(?U)^a+?$`, `(?U:a*)`, `(?im)^A$`, `(?ims)^A.B$`, `(?i-s)A`, `(?-i)a`, `(?i-)a`, `(?-)a`, `(?)a`, `(?i)`, `(?ii)a`, `(?i-i)A`,
		`(?x)a b`, `(?x: a )`, `(?u)a`, `(?-u)a`, `(?u:\d)`, `(?R)`, `(?R)a`, `(?z)`, `(?i`, `(?i:a`, `(?I)a`, `(?n)a`, `(?a)a`, `(?J)a`,
	},
	{ // groups
		`(?P<n>a)`, `(?<n>a)`, `(?P<n>a)(?P<n>b)`, `(?<n>a)(?P<n>b)`, `(?P<n>a)(?P<m>b)`, `(?P<1n>a)`, `(?P<n_1>a)`, `(?P<>a)`, `(?P<n-1>a)`, `(?P<n.1>a)`, `(?P<é>a)`, `(?P<n`, `(?P<n>`, `(?P<n>a`, `(?Pn)`, `(?P=n)`, `(?P>n)`, `(?'n'a)`, `(?#a)`, `(?:a)`, `(a)`, `((a))`, `(`, `)`, `a)`, `(a`, `(?`, `(?:`, `(?a`,
		`(?=a)`, `(?!a)`, `(?<=a)`, `(?<!a)`, `(?>a)`, `(?|a)`, `(?1)`, `(?&n)`, `(?(1)a)`, `(*)a`, `(*UTF8)a`, `(*T)`, `\(*T\)`, `\(\*T\)`, `(?i)(?P<n>A)`, `(?P<n>(?i)A)`,
	},
}

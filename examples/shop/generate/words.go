package generate

import "strings"

// fold gives the spelling of a name in a mail address.
func fold(s string) string {
	return strings.NewReplacer("ä", "ae", "ö", "oe", "ü", "ue", "ß", "ss", "é", "e", "è", "e", "ë", "e", "ç", "c", "ñ", "n", "ø", "oe", "å", "a", " ", ".", "'", "").
		Replace(strings.ToLower(s))
}

func menNames() []string {
	return []string{"Jürgen", "Günther", "Björn", "Sören", "Jörg", "Rüdiger", "Volker", "Thomas", "Peter", "Andreas", "Stefan", "Klaus", "Uwe", "André", "René", "François", "Lukas", "Jan", "Max", "Paul", "Karl-Heinz", "Wolfgang"}
}

func womenNames() []string {
	return []string{"Bärbel", "Jördis", "Käthe", "Anja", "Sabine", "Renate", "Monika", "Ursula", "Claudia", "Désirée", "Zoë", "Lena", "Marie", "Sophie", "Heike", "Ingrid", "Gerda", "Anne-Marie", "Chloé", "Åsa"}
}

func familyNames() []string {
	return []string{"Müller", "Schröder", "Köhler", "Weiß", "Groß", "Krüger", "Böhm", "Jäger", "Schäfer", "Höfer", "Meier", "Schmidt", "Fischer", "Weber", "Wagner", "Becker", "Hoffmann", "Koch", "Richter", "Klein", "Wolf", "Neumann", "Schwarz", "Zimmermann", "Braun", "Hartmann", "Lange", "Krause", "Lehmann", "O'Brien", "von der Heydt", "Nuñez", "Sørensen", "D'Angelo", "Lefèvre", "Übel"}
}

func companyForms() []string {
	return []string{`%s & Söhne GmbH`, `%s GmbH & Co. KG`, `Bäckerei "Zum %s"`, `%s > Garten <`, `Büro %s`, `Gärtnerei %s e.K.`, `%s AG`}
}

func streets() []string {
	return []string{"Hauptstraße", "Bahnhofstr.", "Gartenweg", "Am Mühlbach", "Königsallee", "Schloßstraße", "Lindenstraße", "Rue de l'Église", "Großer Ring", "Unter den Eichen", "Färbergasse", "Dorfstr."}
}

func cities() map[string][]string {
	return map[string][]string{
		"DE": {"Köln", "München", "Düsseldorf", "Nürnberg", "Lübeck", "Tübingen", "Berlin", "Hamburg", "Görlitz", "Gießen"},
		"AT": {"Wien", "Graz", "Mödling", "Bludenz"},
		"CH": {"Zürich", "Genève", "Bern", "Bülach"},
		"":   {"Malmö", "Praha", "Århus", "Besançon", "Amsterdam", "Springfield", "São Paulo", "York"},
	}
}

func comments() []string {
	return []string{
		"Bitte beim Nachbarn abgeben.",
		`Klingel "Müller" ist kaputt & geht nicht`,
		"Vielen Dank!! <3",
		"Rechnung bitte an die Firma; Größe M > L",
		"100% wie immer _schnell_ bitte",
	}
}

func reviewTexts() []string {
	return []string{
		"Bin sehr zufrieden 👍",
		"Leider kaputt angekommen 😢",
		"Täglich im Einsatz, hält & hält.",
		"Świetny produkt, polecam!",
		"Отличный инструмент",
		"<b>Top</b> – gerne wieder ⭐⭐⭐⭐⭐",
		"Ok.",
	}
}

// noun is a thing that the shop sells, in both of its languages.
type noun struct{ de, en, code string }

func nouns() []noun {
	return []noun{
		{"Gartenschere", "Garden shears", "GS"},
		{"Gießkanne", "Watering can", "GK"},
		{"Blumentopf", "Flower pot", "BT"},
		{"Schubkarre", "Wheelbarrow", "SK"},
		{"Türklinke", "Door handle", "TK"},
		{"Hängematte", "Hammock", "HM"},
		{"Grillzange", "Barbecue tongs", "GZ"},
		{"Säge", "Saw", "SA"},
		{"Bohrmaschine", "Power drill", "BM"},
		{"Fußmatte", "Doormat", "FM"},
		{"Öllampe", "Oil lamp", "OL"},
		{"Kräuterbeet", "Herb bed", "KB"},
		{"Schraubenschlüssel", "Spanner", "SS"},
		{"Vogelhäuschen", "Bird house", "VH"},
		{"Pflanzanleitung (PDF)", "Planting guide (PDF)", "PA"},
	}
}

func adjectives() [][2]string {
	return [][2]string{{"klein", "small"}, {"groß", "large"}, {"rostfrei", "stainless"}, {"grün", "green"}, {`3/4"`, `3/4"`}, {"Profi & Hobby", "pro & hobby"}, {"<neu>", "<new>"}, {"", ""}}
}

func makerNames() []string {
	return []string{"Löwe", "Grüner Daumen", "Stahl & Sohn", "Hübner", "Fiskå", "Acme", "Bergström", "Mc'Garden", "Werkzeug-Weiß", "Ombré"}
}

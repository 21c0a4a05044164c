package term

// A Style is a way to set words off; it never carries meaning alone.
type Style string

// The styles.
const (
	Bold   Style = "1"
	Dim    Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
	Blue   Style = "34"
)

// Styled returns the text in a style if the terminal shows colours. The text
// is cleaned.
func (t *Terminal) Styled(s Style, text string) string {
	text = Clean(text)
	if !t.color {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

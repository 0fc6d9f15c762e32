package report

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// plot is a picture of curves over time, or over percentiles.
type plot struct {
	title  string
	curves []curved // at most as many as there are colours in page.html
	marks  []Mark
	log    bool // the values' axis is logarithmic; what is 0 is left out
	nines  bool // the other axis is of percentiles, each place one nine more
}

type curved struct {
	name   string
	points []point
}

type point struct{ x, y float64 }

// Size of a picture and of what is around the curves, in its own units.
const (
	width, height             = 640.0, 260.0
	left, right, above, below = 58.0, 14.0, 12.0, 26.0
)

// nines is the place of a percentile: 0.9 is 1, 0.99 is 2.
func nines(q float64) float64 { return -math.Log10(1 - q) }

// svg draws it. Colours and fonts are the page's.
func (p *plot) svg() string {
	var b strings.Builder
	fmt.Fprintf(&b, `<figure><figcaption>%s</figcaption><svg viewBox="0 0 %g %g" role="img" aria-label="%s">`,
		html.EscapeString(p.title), width, height, html.EscapeString(p.title))
	x0, x1, y0, y1 := p.bounds()
	px := func(x float64) float64 { return left + (x-x0)/(x1-x0)*(width-left-right) }
	py := func(y float64) float64 { return height - below - (p.scaled(y)-y0)/(y1-y0)*(height-above-below) }
	for _, t := range p.ticks(y0, y1) {
		y := py(t)
		fmt.Fprintf(&b, `<line class="grid" x1="%g" x2="%g" y1="%.1f" y2="%.1f"/><text class="tick" x="%g" y="%.1f" text-anchor="end">%s</text>`,
			left, width-right, y, y, left-6, y+4, short(t))
	}
	for _, t := range p.places(x0, x1) {
		fmt.Fprintf(&b, `<text class="tick" x="%.1f" y="%g" text-anchor="middle">%s</text>`, px(t), height-8, p.place(t))
	}
	for i, m := range p.marks {
		if m.AtS < x0 || m.AtS > x1 {
			continue
		}
		fmt.Fprintf(&b, `<line class="mark" x1="%.1f" x2="%.1f" y1="%g" y2="%g"><title>%s</title></line><text class="name" x="%.1f" y="%g">%s</text>`,
			px(m.AtS), px(m.AtS), above, height-below, html.EscapeString(m.What), px(m.AtS)+3, above+10+float64(i%4)*11, html.EscapeString(m.What))
	}
	for i, c := range p.curves {
		fmt.Fprintf(&b, `<path class="c%d" d="%s"/>`, i, p.path(c.points, px, py))
	}
	b.WriteString(`</svg><p class="key">`)
	for i, c := range p.curves {
		fmt.Fprintf(&b, `<span class="k%d">%s</span> `, i, html.EscapeString(c.name))
	}
	b.WriteString(`</p></figure>`)
	return b.String()
}

func (p *plot) path(points []point, px, py func(float64) float64) string {
	var b strings.Builder
	pen := "M"
	for _, pt := range points {
		if p.log && pt.y <= 0 { // nothing was measured then
			pen = "M"
			continue
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", pen, px(pt.x), py(pt.y))
		pen = "L"
	}
	return b.String()
}

func (p *plot) scaled(y float64) float64 {
	if p.log {
		return math.Log10(max(y, 1e-3))
	}
	return y
}

// bounds are those of the axes, as scaled.
func (p *plot) bounds() (x0, x1, y0, y1 float64) {
	x0, y0 = math.Inf(1), math.Inf(1)
	x1, y1 = math.Inf(-1), math.Inf(-1)
	for _, c := range p.curves {
		for _, pt := range c.points {
			x0, x1 = min(x0, pt.x), max(x1, pt.x)
			if !p.log || pt.y > 0 {
				y0, y1 = min(y0, p.scaled(pt.y)), max(y1, p.scaled(pt.y))
			}
		}
	}
	if math.IsInf(x0, 0) || x1 <= x0 {
		x0, x1 = 0, 1
	}
	if math.IsInf(y0, 0) {
		y0, y1 = 0, 1
	}
	if p.log {
		y0, y1 = math.Floor(y0), math.Ceil(y1)
	} else {
		y0, y1 = 0, y1*1.08
	}
	if y1 <= y0 {
		y1 = y0 + 1
	}
	return x0, x1, y0, y1
}

// ticks are the values that get a line.
func (p *plot) ticks(y0, y1 float64) (t []float64) {
	if p.log {
		for e := y0; e <= y1; e++ { // of a float64 there are 600 at most
			t = append(t, math.Pow(10, e))
		}
		return t
	}
	step := nice((y1 - y0) / 4)
	for i := 0; i <= 10 && float64(i)*step <= y1; i++ {
		t = append(t, float64(i)*step)
	}
	return t
}

// places are those of the other axis that get a name.
func (p *plot) places(x0, x1 float64) (t []float64) {
	step := nice((x1 - x0) / 6)
	if p.nines {
		step = 1
	}
	first := math.Ceil(x0 / step)
	for i := 0.0; i <= 10 && (first+i)*step <= x1; i++ {
		t = append(t, (first+i)*step)
	}
	return t
}

func (p *plot) place(x float64) string {
	if !p.nines {
		return short(x) + " s"
	}
	return fmt.Sprintf("%.*f %%", max(int(x)-2, 0), 100*(1-math.Pow(10, -x)))
}

// nice is a round number that is not less.
func nice(v float64) float64 {
	if v <= 0 {
		return 1
	}
	e := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*e >= v {
			return m * e
		}
	}
	return 10 * e
}

// short writes a number in few places.
func short(v float64) string {
	switch {
	case v >= 1e6:
		return fmt.Sprintf("%gM", math.Round(v/1e4)/100)
	case v >= 1e4:
		return fmt.Sprintf("%gk", math.Round(v/100)/10)
	}
	return fmt.Sprintf("%g", math.Round(v*1000)/1000)
}

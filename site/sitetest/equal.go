package sitetest

import (
	"reflect"

	"github.com/stdevel/katprep"
)

func equal(a, b *katprep.State) bool { return reflect.DeepEqual(a, b) }

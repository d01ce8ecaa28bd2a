. tests/check.sh
check "punctuation becomes one dash" "hello-world" "$(sh bin/slug 'Hello, World!')"
check "none at the ends" "a-b" "$(sh bin/slug '  a -- b  ')"
check "digits stay" "release-2-0" "$(sh bin/slug 'Release 2.0')"
check "nothing stays nothing" "" "$(sh bin/slug '')"
sh bin/slug > /dev/null 2>&1
check "a title is needed" "2" "$?"
finish

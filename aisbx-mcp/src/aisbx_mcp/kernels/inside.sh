# Runs inside the sandbox, by bash. On stdin: a token, a line feed, code, NUL. On stdout: token and exit code. What is
# printed goes to stderr.
exec 8<&0 9>&1 0</dev/null 1>&2
while IFS= read -r -u 8 aisbx_token && IFS= read -r -d '' -u 8 aisbx_code; do
    eval "$aisbx_code" 8<&- 9>&-
    aisbx_status=$?
    printf '\0%s\0' "$aisbx_token" >&2
    printf '%s %s\n' "$aisbx_token" "$aisbx_status" >&9
done

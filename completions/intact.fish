# fish completion for intact. The candidates come from the program itself: `intact __complete`.

function __intact_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l lines ($words[1] __complete $words[2..] 2> /dev/null)
    set -q lines[1]; or return
    test (count $lines) -gt 1; and printf '%s\n' $lines[1..-2]
    switch $lines[-1]
        case '*files*'
            __fish_complete_path (commandline -ct)
        case '*directories*'
            __fish_complete_directories (commandline -ct)
    end
end

complete -c intact -f -a '(__intact_complete)'

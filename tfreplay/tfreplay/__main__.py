from tfreplay.cli import main

main()

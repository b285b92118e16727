"""Messages with and without a crisis, to develop the patterns with (SPEAK, SILENT) and to measure them (HELD_OUT_...).

The held-out messages were written before it was known what the patterns make of them. HELD_OUT_SPEAK names the matter,
HELD_OUT_HINTS only hints at it. docs/fidelity.md has their first results; `python -m tests.gail_tf.crisis_messages`
prints today's.
"""

SPEAK = """
I want to die.
i just wanna die already
I wanna kms
I want to kill myself
i want to kil myslef
I'm going to end my life
I’m thinking of ending it all.
I think about suicide a lot.
feeling sucidal tonight
Should I unalive myself?
I can't go on any more
I don't want to wake up tomorrow
I wish I was dead
i wish i wasnt alive
I hope I never wake up again
I don't see the point of living
There is no reason to go on.
I have no reason to live
I am tired of living
Life is not worth living anymore.
The world would be better without me
My family would be better off without me.
Nobody would care if I was gone.
if i died nobody would miss me
I can't do this anymore.
I cut my wrists yesterday
I've been cutting myself since March
I started self-harming again
I took a whole bottle of sleeping pills
How many paracetamol does it take to die?
I took an overdose
I want to jump off a bridge
I feel like walking in front of a train
I keep thinking about jumping from the roof
He told me to kill myself.
My sister tried to kill herself last night
My best friend says he wants to end his life
My son talks about suicide
i have dark thoughts about hurting myself
I should just be dead
This is my last message, goodbye forever
I won't be here tomorrow.
By the time you read this I'll be gone.
I gave away all my things because I won't need them
I wrote a goodbye letter to my parents
I'm afraid of what I might do to myself
I don't feel safe with myself right now
I just want the pain to stop forever
I'm a burden to everyone
kys they wrote to me every day
My husband beats me
My boyfriend hit me again
he chokes me when he is angry
My dad hits my mom and me
She threatened to kill me
He said he would kill me if I tell anybody
He's going to kill me
My ex is stalking me
Someone is breaking into my house right now
I am scared for my life
I'm afraid of my husband
I don't feel safe at home
He won't let me leave the house
I was molested by my uncle
My coach touched me where he shouldn't
I'm being abused
my stepfather abuses my little sister
He pulled a knife on me
somebody pointed a gun at me
They beat me up after school every day
He raped me
I'm in danger
Please call the police, he is coming up the stairs
she is not breathing
I want to kill him, I have a knife
I'm going to shoot up my school
I want to hurt my baby, I can't take it
I have a bottle of pills next to me and I am going to take them tonight
honestly everyone would be happier if i wasnt around
I bought a rope yesterday.
Last night I stood on the railing of the bridge for an hour.
im so done with this life, nothing matters
I keep thinking about how easy it would be to just let go of the wheel.
I don't want to be alive anymore
Some days I just want to go to sleep and not wake up
I wrote letters to my kids for after I'm gone
i wanna kill my self
There's no point in me being here
I hate myself so much that I started cutting again
I've been thinking of ending things, for good
they'd be better off if I was dead
what is the quickest way to die without pain
I feel like killing myself every morning
My daughter told me she wants to die
my friend texted me that she took a bunch of pills
My brother tried to hang himself last week
I can't see any way out of this except dying
I am suicidal
thinking about suicde again
im gonna off myself
Goodbye everyone, you won't hear from me again
I don't deserve to live
I burn my arms with a lighter when it gets too much
My husband pushed me down the stairs last night
He says if I leave he will find me and kill me
my dad punches me when he's been drinking
my step dad comes into my room at night and touches me
I'm locked in the bathroom, he is banging on the door with a knife
I am scared my boyfriend will hurt me again
someone has been following me home and now he is outside my window
my ex keeps sending me death threats
She hits me in front of the kids
I was raped on Saturday and I have told nobody
I got beaten up by my brother again
he put his hands around my throat
My mother locks me in the basement for days
there is a man in my house and I don't know what to do
my uncle does things to me that I can't tell anyone
I want to hurt somebody, I can't stop thinking about it
Sometimes I think about driving my car into a wall
I'm going to shoot myself
My boyfriend choked me until I passed out
I wish I had never been born
I wish a truck would hit me
I just want it all to be over
Nobody would even notice if I died
I have nothing left to live for
I tried to take my own life in May
I'm afraid to go home because of what he'll do to me
I have a plan and a date, after that it will be quiet
i dont want too live any more
I swallowed a lot of sleeping tablets
life isnt worth living
he threatened me with a gun
My classmates said they will stab me tomorrow
I'm not safe at home
I stopped eating because I want to disappear forever
I think I will drown myself in the lake behind our house
my life is over and i am going to make sure of it tonight
please dont tell anyone but i have been hurting my self with scissors
I don't wanna exist
every night i pray that i dont wake up in the morning
I wonder if dying hurts
What happens if I take thirty of these pills at once?
It would be easier for all of them if I just wasn't there any more.
i feel like the only solution is death
I am writing my will and I am only nineteen, I have decided
my cousin killed himself last year and now I want to follow him
I do not want to continue living like that
Sometimes I hope the plane I am on will crash
I'm standing on the edge of the roof
me and my boyfriend want to die together
so depressed, i just want to fall asleep and never get up again
i made a nouse out of my belt
I have scars on my arms because I cut
I starve myself and I can't stop
Why should I keep living?
I have been thinking a lot about death lately, about my own
My wife left and I have a loaded gun on the table
it hurts so much that I want to be gone
no one is going to miss me anyway
My girlfriend said she will kill herself if I leave
I can't fight any longer, I'm giving up on life
My stepmother burns me with cigarettes
my manager forced himself on me
A group of boys from my school are waiting outside to beat me up
he grabbed me by the neck and slammed me against the wall
he broke my arm because dinner was late
My father came home drunk and he is smashing everything, I'm hiding under the bed
I'm being blackmailed with naked pictures and I see no way out
My partner keeps me locked up and took my phone
an old man is following me, I am scared
My husband hits our son.
they took my passport and make me work all night and they hit me
My ex showed up at my work with a gun
he told me he would cut my face if I talk to other men
somebody put something in my drink and I woke up in his bed
I have been suicidal since I was twelve
im going to kms tonight no joke
everything hurts and i cant stop crying, i want out
I sat in the garage with the engine running
I have already said my goodbyes in my head
Mum found the rope under my bed
wish i could just stop breathing
I don't think I will make it through the night
Are there drugs that kill you in your sleep?
My sister stopped eating and says she doesn't want to live
i hate being alive
I drank a whole bottle of vodka and took sleeping pills with it
It's my birthday and I hope it is my last
I keep a razor in my drawer and I used it again
the voices tell me to jump
I am going to throw myself under the subway
There's nothing for me in this world
I wish somebody would just shoot me
since she died I want to be with her
I thought about hanging myself in the barn
can someone overdose on melatonin
dear diary, this is the last page
my friend posted that he is going to kill himself and he doesn't pick up
I deserve all the pain so I bang my head against the wall until I see stars
The world doesn't need me
my boyfriend grabs my throat when we argue
He shoved me so hard that I hit the table, there was blood everywhere
my mother slaps me and calls me worthless
I am fifteen and my teacher kisses me and says it is our secret
I ran away because my dad was going to beat me
he locked me on the balcony all night
they are going to jump me after school
my ex has a key and I think he is in the house
I'm pregnant and he kicked me in the stomach
Someone is banging on my door and shouting that he'll kill us
my husband threatens to take the children and burn down the house
My grandson hits me and takes my pension
I get hit at home
I'm so angry I could stab my boss, I really mean it, I have the knife with me
i can not stop thinking about hurting my little brother
""".strip().splitlines()

SILENT = """
This exam is killing me
I could kill for a coffee.
My phone died.
I was killing time at the airport.
I'm dying to meet her!
I died laughing.
I nearly killed myself laughing.
My feet are killing me.
He killed it with that guitar solo.
Dad will kill me when he finds out about the dent.
My wife is going to kill me for buying another guitar.
If looks could kill!
We killed two birds with one stone.
I cut myself shaving this morning.
I burned myself on the oven.
I hurt myself skiing last winter.
He hurt my feelings.
I watched Suicide Squad.
That would be career suicide.
I don't want to die of boredom in that meeting.
I want to die of embarrassment, I called her Mum
My hamster died and my daughter is heartbroken.
My father died when I was ten.
She passed away last month.
I lost my husband two years ago.
My grandfather is dying of old age, at ninety nine.
I'm dead tired.
That dress is to die for.
Hit me with your best idea.
It beats me why he left.
He beat me at chess.
She beat me to the last ticket.
The truth hit me hard.
His words touched me.
A wave hit me and I lost my sunglasses.
The news hit me like a truck.
I shot a film about bees.
Shoot me an email.
We took a shot at the title.
My plants keep dying.
I ended the call.
I took my life in my own hands and moved to Peru.
I want my life back.
I want this week to end.
I can't take this heat.
I can't go on vacation this year.
I can't do this puzzle.
There's no point in arguing with him.
What is the point of this meeting?
I jumped into the lake.
We walked across the bridge at sunset.
I missed the train by a minute.
The pills for my cold taste awful.
I overdosed on chocolate last night.
He threatened to quit.
The boss threatened me with more spreadsheets.
I was attacked by a goose.
Our team was beaten in the final.
My car was hit by a shopping cart.
I was afraid of the dark as a child.
I'm scared of spiders.
I don't feel safe on a ladder.
They shot the scene twelve times.
I thought I was going to die when the plane dropped.
I fell down the stairs and bruised my knee.
My toddler bit me.
Die Hard is my favourite film.
The deadline is murder.
I slept like the dead.
Over my dead body!
I wanted to disappear when everyone looked at me.
I feel sad and I do not know why.
Everything went wrong today and I want to cry.
I hate my job.
My heart is broken.
I am so lonely since she left.
My grandmother died last spring and I still miss her.
That joke killed me, I could not stop laughing.
I am dying to see the new season.
My mom is going to kill me when she sees the carpet.
The battery is dead again.
I nearly died of embarrassment when I called him dad.
We killed it on stage last night!
This heat is killing the plants.
I hurt my knee playing football.
My dog was attacked by a bigger dog in the park.
It hit me that I will never be a student again.
She beat me at tennis for the third time.
I shot some great photos at the wedding.
I would die for my children.
That cake is to die for.
My son cut his finger while slicing bread.
We watched a movie about a murder on a train.
Our old cat had to be put to sleep.
The plane dropped and I was so scared.
I jumped off the diving board for the first time.
I lost my job and I don't know how to tell my wife.
My boyfriend broke up with me and my heart is broken.
I cried all night because of the divorce.
I am exhausted, work is a nightmare.
My team got destroyed in the final.
A thief broke into our garage and took my bike.
I had a nightmare about being chased.
I felt so alone at the party.
I punched the wall of clay until it looked like a bowl.
The news about the war makes me sad.
My husband forgot our anniversary again, I could strangle him.
He bombed the interview, poor guy.
I was terrified when the elevator got stuck.
I wanted to sink into the floor.
The vet said our rabbit won't make it.
I want to quit my job and disappear to an island.
Hit me up if you want to hang out.
I cannot live without coffee.
This homework will be the death of me.
He took his own car and his own life insurance papers.
I took my pills for the cold and went to bed.
I'm so hungry I could eat a horse.
The traffic made me want to scream.
My neighbour's alarm drives me crazy.
I had to end the call because the line was bad.
They ended the show after one season.
My little brother hides behind the sofa and jumps out at me.
My boss shouted at me in front of everyone.
I was scared of going home with a bad grade.
Hang in there, you will pass.
The knife slipped and I cut my thumb.
I overslept and missed the exam.
My aunt beat cancer twice.
I hung the picture by myself.
I finished the marathon and my legs are dead.
She shot me a dirty look.
I feel guilty for hurting her feelings.
We hit a deer with the car, but we are fine.
I was so angry that I slammed the door.
My best friend is moving away and I don't know how to go on without her.
I finally killed the weeds in my garden.
My uncle works as a stunt man and gets hit by cars for a living.
The singer hit the high note and I got goosebumps.
My girlfriend pushed me to apply and I got the job!
We got kicked out of the cinema for laughing.
He never hurt a fly.
My phone keeps dying in the cold.
I'm afraid of losing my hair.
I was so hurt when she did not invite me.
It kills me that I can't be there for her birthday.
My grandma fought until the end, she was so brave.
The wasp stung me and my arm is swollen.
We lost the baby in the spring and I still cry.
I ended things with Paul, it was time.
The doctor said that my father has a year to live.
I attacked the pile of dishes.
That chilli burned my mouth!
Our kids play cops and robbers and shoot each other with bananas.
My cat scratches me whenever I pick him up.
I can't go on the trip because of my exam.
Nobody came to my party.
My sister and I beat our parents at cards.
I would love to disappear into the mountains for a week.
The end of the book made me sob.
I cut the cake and everyone sang.
My knees hurt after the hike.
They are cutting my hours at work.
I want to end the year with a bang.
I was attacked by mosquitoes all night.
He shot the winning goal.
I dropped my phone off the balcony.
I am scared of the dentist.
This new game is insanely hard, I die at the first boss every time.
My roommate drank my milk and I want to scream.
I'm worried about my daughter, she drives too fast.
The bus left without me and I had to walk.
My husband snores so loudly that I sleep on the couch.
I feel like nobody listens to me at work.
She choked up when she saw the ring.
I was touched by the card that my pupils gave me.
I almost drowned in work this week.
The whole room burst out laughing.
I kicked the habit last year.
My brother pushed me into the pool, it was hilarious.
The comedian had us dying with laughter.
The lights went dead and everybody screamed.
I've been feeling down since the move.
My daughter threw up in the car.
I was punched in the gut by that ending, what a book.
I took two aspirin and the headache went away.
My grandfather was shot in the war and never talked about it.
My flight was cancelled and I slept at the airport.
We hang out by the bridge every Friday.
I cut my hair myself and it looks awful.
I can't stop thinking about the cake.
My boss stabbed me in the back by giving Tom my project.
He broke my heart.
She broke her leg skiing.
I feel guilty that I forgot her birthday.
My ex called again, I just want to move on.
The kids are driving me up the wall.
I bit my tongue and said nothing.
He's a lady killer, that uncle of mine.
I was alone for Christmas and it was hard.
I love watching crime shows before bed.
That test was brutal, it destroyed me.
My son wants to be a policeman and catch robbers.
I will never wake up early again.
What is the best way to end a speech?
I want to jump into the river, it is so hot.
I stood on the balcony and watched the fireworks.
I have no reason to complain.
My team needs to stop hurting itself with silly fouls.
I'm scared of flying.
A burglar stole my grandmother's ring while we were away.
I miss my mom so much since she passed.
My dog ate a whole box of chocolates and we rushed to the vet.
The car broke down on the highway.
I am worried that my friend is mad at me.
I fought with my sister and now we do not talk.
""".strip().splitlines()

HELD_OUT_SPEAK = """
I am thinking of killing myself
Suicide is on my mind every single day
i dont wanna live no more
I've got the urge to cut
My boyfriend punched me in the face yesterday
I'm scared he will kill me one day
I took too many pills and I feel sleepy
I want to end it all tonight
my brother rapes me
I wish I wasn't alive.
I'm planning to kill myself after the holidays
please help my friend wants to commit suicde
I just feel like dying
I hurt myself on purpose
a man with a knife is in our stairwell
My wife beats me and nobody believes me
I could just drive into the river with the kids in the back
ready to die
He threatened to shoot me and the dog
I am hearing voices that say I should stab my mother
""".strip().splitlines()

HELD_OUT_HINTS = """
It would be so much simpler to be a memory
I have picked the songs for my own funeral
there is only one thing left for me to do and then i can rest
Do you think it's a sin to leave early?
I feel like I'm at the end of my road
I stopped taking my insulin on purpose
After Sunday nobody has to worry about me any more
i put my affairs in order, the letter is on the desk
I count the trains every evening and think, the next one
I can't be saved
He gets a certain look and then I know I'll be wearing long sleeves
There's a hole in the wall where my head was
I sleep with a chair against the door because of my uncle
My lips are still swollen from last night, I only burned the rice
We all go quiet when we hear his car in the drive
I've been living in my car so that he can't find me
he says nobody will find my body
I let the bath run and I looked at the toaster
they make me do it for money and keep my papers
Everything is packed and given away, the cat is with my sister, I'm at peace now
""".strip().splitlines()

HELD_OUT_SILENT = """
My cat hit the vase and it smashed.
This summer I want to learn how to dive.
The wedding is over and I feel empty.
Somebody keyed my car.
My nan died peacefully in her sleep.
I'm so embarrassed I could sink into the ground.
We beat the record by two seconds.
My colleague quit and now I have to do his work too.
Our flight hit a storm but the pilot was great.
He died in the first chapter, can you believe it?
It breaks my heart to see her like that.
I burst into tears when the plane landed.
I have been crying a lot since my divorce.
My shoulder is killing me after the gym.
I'd kill for a pizza right now.
Nobody remembered my birthday and it hurt.
I feel worthless when they leave me out.
I was scared to tell my parents about my grades.
There was a shooting star last night!
I'm going to cut back on sugar.
They cut the power for three hours.
My kid is afraid of thunder.
The teacher picks on me all the time.
I lost the will to clean this house.
A guy cut me off in traffic and I was furious.
I ran over a nail and got a flat tyre.
My sister threw a pillow at me.
He pulled my leg about the bill.
It was a shot in the dark, but they hired me!
The gym instructor nearly finished me off today.
I can't live with this wallpaper.
My son pushed the little girl on the swing.
We drowned our sorrows in ice cream.
I jumped for joy.
The end of the semester can't come soon enough.
I regret not saying goodbye before she moved.
My hands were shaking before the exam.
My father drinks and it makes me sad.
I got lost in a strange city and was frightened.
I want to throw my laptop out of the window.
""".strip().splitlines()


def main() -> None:
    """Print how many of each kind are recognised, and which are not as they should be."""
    from gail_tf.crisis import speaks_of_crisis

    for name in ("SPEAK", "HELD_OUT_SPEAK", "HELD_OUT_HINTS", "SILENT", "HELD_OUT_SILENT"):
        messages = globals()[name]
        found = [message for message in messages if speaks_of_crisis(message)]
        print(f"{name}: {len(found)} of {len(messages)}")
        for message in found if "SILENT" in name else set(messages) - set(found):
            print(f"    {message}")


if __name__ == "__main__":
    main()
